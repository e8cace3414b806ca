package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// array returns a batch in the form in which it is sent.
func array(batch []json.RawMessage) string {
	var s []string
	for _, e := range batch {
		s = append(s, string(e))
	}
	return "[" + strings.Join(s, ",") + "]"
}

// places lists "kiosk/from" to "kiosk/to".
func places(kiosk string, from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("%s/%d", kiosk, i))
	}
	return out
}

// holds fails unless the feed has exactly these events in this order.
func (b *bed) holds(want ...string) {
	b.t.Helper()
	read, err := b.open().read(b.t.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
	if err != nil {
		b.t.Fatal(err)
	}
	var events []json.RawMessage
	if err := json.Unmarshal(read.Array(), &events); err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, place(b.t, e))
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("the feed holds %v, want %v", got, want)
	}
}

func TestEventsAreKeptOnce(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	first, second := k1.events(3), k1.events(2)
	k1.send(first, 3)
	k2.send(k2.events(1), 1)
	k1.to(otherURL).send(first, 3)                         // the hub has all of them
	k1.to(otherURL).send(first[1:2], 2)                    // the hub has it, as the second of three
	k1.send(append(slices.Clone(first[2:]), second...), 5) // overlaps with events that the hub has
	k1.to(otherURL).send(first, 3)                         // the same answer as before
	k2.send(k2.events(2), 3)                               // another kiosk is not affected
	k1.to(otherURL).send(slices.Concat(first, second), 5)
	k1.to(otherURL).send(nil, 5) // an empty batch returns the last sequence number
	b.holds("k1/1", "k1/2", "k1/3", "k2/1", "k1/4", "k1/5", "k2/2", "k2/3")
}

// Two hubs get the same events at the same time, from a kiosk that gave up waiting for the
// first hub.
func TestEventsAreKeptOnceByHubsAtOnce(t *testing.T) {
	b := newBed(t)
	urls := []string{b.serve(), b.serve()}
	k1 := b.kiosk(urls[0], "k1")
	const rounds, batch = 5, 4
	for round := range rounds {
		events := k1.events(batch)
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				got, err := k1.to(urls[i%2]).SendEvents(t.Context(), events)
				if want := uint64((round + 1) * batch); err != nil || got.Acknowledged != want {
					t.Errorf("acknowledged %d, %v; want %d", got.Acknowledged, err, want)
				}
			})
		}
		all.Wait()
	}
	b.holds(places("k1", 1, rounds*batch)...)
}

// refused sends a batch that must be refused and returns the problem.
func (p *party) refused(batch []json.RawMessage) *hubapi.Problem {
	p.t.Helper()
	_, err := p.SendEvents(p.t.Context(), batch)
	problem, ok := errors.AsType[*hubapi.Problem](err)
	if !ok {
		p.t.Fatalf("got %v, want a problem", err)
	}
	return problem
}

func (p *party) wantProblem(batch []json.RawMessage, kind hubapi.Kind, event int, wanted uint64, detail string) {
	p.t.Helper()
	got := p.refused(batch)
	if got.Type != kind || got.Event == nil || *got.Event != event || got.Wanted != wanted || !strings.Contains(got.Detail, detail) {
		p.t.Errorf("got %v (%s, wanted %d), want %s at %d, wanted %d, with %q", got, got.Type, got.Wanted, kind, event, wanted, detail)
	}
}

func TestGapsAreRefused(t *testing.T) {
	b := newBed(t)
	k1 := b.kiosk(b.serve(), "k1")
	e := k1.events(6)
	k1.wantProblem(e[1:2], hubapi.KindGap, 0, 1, "before sequence 2")
	k1.send(e[:1], 1)
	k1.wantProblem(e[2:], hubapi.KindGap, 0, 2, "before sequence 3")
	// The bad event is in the middle of a batch: the hub keeps the events before it.
	k1.wantProblem([]json.RawMessage{e[0], e[1], e[2], e[4]}, hubapi.KindGap, 3, 4, "before sequence 5")
	k1.wantProblem([]json.RawMessage{e[4], e[3]}, hubapi.KindGap, 0, 4, "before sequence 5")
	b.holds(places("k1", 1, 3)...)
	k1.send(e[3:], 6)
	b.holds(places("k1", 1, 6)...)
}

func TestForeignEventsAreRefused(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	good, others := k1.events(1), k2.events(1)

	// An event with k2's key and k1's name.
	posing := *k2
	posing.id = "k1"
	var err error
	if posing.seal, err = event.NewSealer("k1", k2.key, b.publicSeal()); err != nil {
		t.Fatal(err)
	}
	// An event with k1's key and k2's name.
	slander := *k1
	slander.id, slander.sequence, slander.link = "k2", 1, k1.link
	if slander.seal, err = event.NewSealer("k2", k1.key, b.publicSeal()); err != nil {
		t.Fatal(err)
	}
	altered := json.RawMessage(strings.Replace(string(good[0]), "00000000000000000001", "00000000000000000002", 1))

	k1.wantProblem(others, hubapi.KindDeviceKey, 0, 0, "a key that is not the kiosk's")
	k1.wantProblem(posing.events(1), hubapi.KindDeviceKey, 0, 0, "a key that is not the kiosk's")
	k1.wantProblem([]json.RawMessage{altered}, hubapi.KindEvent, 0, 0, "attributes differ")
	b.holds()
	k1.wantProblem(append(slices.Clone(good), slander.events(1)...), hubapi.KindEvent, 1, 0, "belongs to another kiosk")
	b.holds("k1/1") // the event before the forged one
}

// If an event cannot be opened, the hub still keeps the events before it.
func TestPoisonIsNamed(t *testing.T) {
	b := newBed(t)
	k1 := b.kiosk(b.serve(), "k1")
	e := k1.events(3)
	for _, poison := range []string{`{}`, `7`, `null`, `[]`, `{"specversion":"1.0"}`, `"` + strings.Repeat("a", event.MaxSize) + `"`} {
		k1.wantProblem([]json.RawMessage{e[0], json.RawMessage(poison), e[1]}, hubapi.KindEvent, 1, 0, "")
	}
	b.holds("k1/1")
	k1.send(e, 3)
}

// If another program has written into the stream, the hub stores no event after a message
// that it cannot read, and it does not report the failure as the kiosk's.
func TestSpoiltStream(t *testing.T) {
	for _, spoilt := range []string{``, `null`, `{"sequence":1}`, `{"sequence":"one","jws":""}`, `[]`, `[{`, `[7]`, `[null]`, `[{"sequence":"1","jws":""},{}]`} {
		b := newBed(t)
		k1 := b.kiosk(b.serve(), "k1")
		if _, err := b.open().js.Publish(t.Context(), eventsSubject+"k1", []byte(spoilt)); err != nil {
			t.Fatal(err)
		}
		if got := k1.refused(k1.events(1)); got.Type != hubapi.KindInternal || got.Detail != "" {
			t.Errorf("%s: got %v", spoilt, got)
		}
	}
}
