package hub

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// pulled fails unless the next pull returns these events. It returns the cursor.
func (p *party) pulled(max int, want ...string) (cursor string) {
	p.t.Helper()
	got, cursor := p.pull(max, 0)
	if !slices.Equal(got, want) {
		p.t.Errorf("%s pulled %v, want %v", p.id, got, want)
	}
	return cursor
}

func TestFeed(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(otherURL, "k2")
	office, archive := b.consumer(url, "office"), b.consumer(otherURL, "archive")

	start := office.pulled(10)
	office.ack(start) // the cursor of an empty batch can be acknowledged too

	k1.send(k1.events(2), 2)
	k2.send(k2.events(2), 2)
	first := office.pulled(3, "k1/1", "k1/2", "k2/1")
	office.pulled(2, "k1/1", "k1/2") // not acknowledged, so they come again
	office.ack(first)
	office.to(otherURL).pulled(10, "k2/2") // all hubs share the cursor
	archive.pulled(10, "k1/1", "k1/2", "k2/1", "k2/2")

	office.to(otherURL).ack(start) // a late acknowledgement has no effect
	last := office.pulled(10, "k2/2")
	office.ack(last)
	office.ack(last)
	if cursor := office.pulled(10); cursor != last {
		t.Errorf("an empty batch moves the cursor from %q to %q", last, cursor)
	}
	k1.send(k1.events(1), 3)
	office.pulled(10, "k1/3")
}

// Consumers get the event that the kiosk sealed, decrypted and with its evidence.
func TestFeedShowsTheEvent(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	sealed := k1.events(1)
	k1.send(sealed, 1)
	events, _, err := office.Feed(t.Context(), "office", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := event.NewOpener(*b.privateSeal()).Open(sealed[0], k1.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	want, err := opened.Plain()
	if err != nil {
		t.Fatal(err)
	}
	if string(events[0]) != string(want) || !strings.Contains(string(want), opened.JWS) {
		t.Errorf("got %s, want %s", events[0], want)
	}
}

// A pull that waits returns an event as soon as any hub has stored it.
func TestFeedWaits(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	k1, office := b.kiosk(otherURL, "k1"), b.consumer(url, "office")
	answers := make(chan []string)
	go func() {
		got, _ := office.pull(10, 30*time.Second)
		answers <- got
	}()
	b.waitForReader()
	k1.send(k1.events(1), 1)
	if got := <-answers; !slices.Equal(got, []string{"k1/1"}) {
		t.Errorf("got %v", got)
	}
}

// A pull that gets no event ends after its wait.
func TestFeedWaitsNoLonger(t *testing.T) {
	b := newBed(t)
	office := b.consumer(b.serve(), "office")
	start := time.Now()
	if got, _ := office.pull(10, time.Second); len(got) != 0 || time.Since(start) < time.Second {
		t.Errorf("got %v after %v", got, time.Since(start))
	}
}

// A long poll ends when its client is gone, and leaves no reader in JetStream.
func TestFeedEndsWithItsClient(t *testing.T) {
	b := newBed(t)
	office := b.consumer(b.serve(), "office")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, _, err := office.Feed(ctx, "office", 1, time.Minute)
		ended <- err
	}()
	b.waitForReader()
	gone := b.onAdvisory("$JS.EVENT.ADVISORY.CONSUMER.DELETED." + eventsStream + ".>")
	cancel()
	if err := <-ended; err == nil {
		t.Error("a cancelled pull succeeded")
	}
	<-gone
}

// waitForReader returns as soon as the reader of a feed waits for an event.
func (b *bed) waitForReader() {
	b.t.Helper()
	js, err := jetstream.New(b.conn)
	if err != nil {
		b.t.Fatal(err)
	}
	stream, err := js.Stream(b.t.Context(), eventsStream)
	if err != nil {
		b.t.Fatal(err)
	}
	for b.t.Context().Err() == nil {
		for info := range stream.ListConsumers(b.t.Context()).Info() {
			if info.NumWaiting > 0 && info.Name != reviewer {
				return
			}
		}
	}
}

// onAdvisory returns a channel that gets a value for each message that JetStream publishes
// on a subject.
func (b *bed) onAdvisory(subject string) <-chan struct{} {
	b.t.Helper()
	happened := make(chan struct{}, 16)
	sub, err := b.conn.Subscribe(subject, func(*nats.Msg) { happened <- struct{}{} })
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { sub.Unsubscribe() })
	if err := b.conn.Flush(); err != nil {
		b.t.Fatal(err)
	}
	return happened
}

// The size of an answer is bounded in bytes too. The next answer has the remaining events.
func TestFeedIsBounded(t *testing.T) {
	b := newBed(t)
	h := b.open()
	big := json.RawMessage(`{"pad":"` + strings.Repeat("a", 512<<10) + `"}`)
	const events = 20
	for range events {
		if _, err := h.js.Publish(t.Context(), eventsSubject+"k1", big); err != nil {
			t.Fatal(err)
		}
	}
	var got int
	for after := (position{}); got < events; {
		read, err := h.read(t.Context(), reading{after: after}, hubapi.Pull{Max: hubapi.MaxEvents})
		if err != nil {
			t.Fatal(err)
		}
		text, last := read.Array(), read.last
		var batch []json.RawMessage
		if err := json.Unmarshal(text, &batch); err != nil || len(batch) == 0 {
			t.Fatalf("got %d events, %v", len(batch), err)
		}
		if len(text) > hubapi.MaxEventsBody {
			t.Errorf("an answer of %d bytes", len(text))
		}
		if want := (position{place: after.place + uint64(len(batch))}); last != want {
			t.Fatalf("after %v and %d events the cursor is %v", after, len(batch), last)
		}
		got, after = got+len(batch), last
	}
}

// If several hubs acknowledge at the same time, the furthest cursor stays.
func TestCursorNeverGoesBack(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1 := b.kiosk(url, "k1")
	const events = 20
	k1.send(k1.events(events), events)
	hubs := []*Hub{b.open(), b.open()}
	results := make(chan error)
	for i := range events {
		to := cursor{position: position{place: 1, part: uint64(i + 1)}} // all are parts of one message
		if i == events-1 {
			to.part = 0
		}
		go func() { results <- hubs[i%2].acknowledge(t.Context(), "office", to) }()
	}
	for range events {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got, err := hubs[0].cursor(t.Context(), "office"); err != nil || got.position != (position{place: 1}) {
		t.Errorf("the cursor is at %v, %v; want the end of the message", got.position, err)
	}
}
