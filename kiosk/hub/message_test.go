package hub

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// messages returns the number of events in each message of the stream.
func (b *bed) messages(h *Hub) (events []int) {
	b.t.Helper()
	info, err := h.events.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for place := uint64(1); place <= info.State.LastSeq; place++ {
		msg, err := h.events.GetMsg(b.t.Context(), place)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(msg.Data) > maxMessage {
			b.t.Errorf("the message at %d is of %d bytes", place, len(msg.Data))
		}
		within := readMessage(msg.Data)
		var array []json.RawMessage
		if err := json.Unmarshal(msg.Data, &array); len(within) == 1 && msg.Data[0] != '{' || len(within) > 1 && (err != nil || len(array) != len(within)) {
			b.t.Fatalf("the message at %d is taken apart into %d events, %v; as JSON it has %d", place, len(within), err, len(array))
		}
		events = append(events, len(within))
	}
	return events
}

// large returns visits of about 90 KB each, before sealing.
func large(n int) []event.Visit {
	pad := json.RawMessage(`{"pad":"` + strings.Repeat("a", 32<<10) + `"}`)
	return slices.Repeat([]event.Visit{{
		Visit: "v", Outcome: kiosk.Cancelled, Evidence: &event.Evidence{Token: pad, Nonce: "n", Origin: origin},
	}}, n)
}

// The hub stores a batch as one message, or as few as the maximum size allows.
func TestBatchIsOneMessage(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, h := b.kiosk(url, "k1"), b.open()
	k1.send(k1.events(1), 1)
	k1.send(k1.events(200), 201)
	k1.send(k1.visits(time.Now(), large(20)...), 221)
	k1.send(k1.events(1), 222)
	got := b.messages(h)
	if !slices.Equal(got[:2], []int{1, 200}) || len(got) < 6 || len(got) > 8 || slices.Max(got[2:len(got)-1]) < 4 || got[len(got)-1] != 1 {
		t.Errorf("the messages hold %v events", got)
	}
	b.holds(places("k1", 1, 222)...)
}

// The largest event that a kiosk may send fits into a message, whether or not there is a
// next event.
func TestLargestEventIsAMessage(t *testing.T) {
	e := event.Opened{Payload: json.RawMessage(`{"a":"` + strings.Repeat("a", event.MaxSize*9/16) + `"}`), JWS: strings.Repeat("a", event.MaxSize*3/4)}
	for _, events := range [][]event.Opened{{e}, slices.Repeat([]event.Opened{e}, 20)} {
		text, n, err := makeMessage(nil, events)
		if err != nil || n == 0 || n == 20 || len(text) > maxMessage || len(readMessage(text)) != n {
			t.Errorf("%d events of %d bytes, %v", n, len(text), err)
		}
	}
}

// A hub can continue a stream of an older version, in which each message has one event.
func TestStreamOfSingleEvents(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, h := b.kiosk(url, "k1"), b.open()
	opener := event.NewOpener(*b.privateSeal())
	old := k1.events(5)
	for _, sealed := range old {
		e, err := opener.Open(sealed, k1.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		plain, err := e.Plain()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.js.Publish(t.Context(), eventsSubject+"k1", plain); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.cursors.PutString(t.Context(), "office", "3"); err != nil {
		t.Fatal(err)
	}
	k1.send(old, 5)
	fresh := k1.events(10)
	k1.send(append(slices.Clone(old[2:]), fresh...), 15)
	if got := b.messages(h); !slices.Equal(got, []int{1, 1, 1, 1, 1, 10}) {
		t.Errorf("the messages hold %v events", got)
	}
	b.consumer(url, "office").pulled(4, "k1/4", "k1/5", "k1/6", "k1/7")

	// The hub recognises each of these events, wherever it is stored.
	all := slices.Concat(old, fresh)
	for i := range all {
		k1.send(all[:i+1], uint64(i+1))
		k1.send(all[i:i+1], uint64(i+1))
	}
	b.holds(places("k1", 1, 15)...)
}

// If several hubs get overlapping parts of a backlog at the same time, each event is stored
// once, however the parts are split into messages.
func TestOverlappingBatchesAtOnce(t *testing.T) {
	b := newBed(t)
	urls := []string{b.serve(), b.serve()}
	k1 := b.kiosk(urls[0], "k1")
	k1.send(k1.events(1), 1)
	all := k1.visits(time.Now(), large(24)...) // several messages
	var sending sync.WaitGroup
	for i := range 6 {
		sending.Go(func() {
			n := 4 * (i + 1)
			if got, err := k1.to(urls[i%2]).SendEvents(t.Context(), all[:n]); err != nil || got.Acknowledged != uint64(1+n) {
				t.Errorf("acknowledged %d, %v; want %d", got.Acknowledged, err, 1+n)
			}
		})
	}
	sending.Wait()
	b.holds(places("k1", 1, 25)...)
}

// A cursor can point into a message, is the same at every hub, and never moves back.
func TestCursorWithinMessage(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	k1.send(k1.events(5), 5)
	k2.send(k2.events(1), 1)
	k1.send(k1.events(3), 8)

	place := func(cursor string) string { before, _, _ := strings.Cut(cursor, "@"); return before }
	if got := office.pulled(5, places("k1", 1, 5)...); place(got) != "1" {
		t.Errorf("at the end of a message the cursor is %q", got)
	}
	two := office.pulled(2, "k1/1", "k1/2")
	three := office.pulled(3, "k1/1", "k1/2", "k1/3")
	if place(two) != "1.2" || place(three) != "1.3" {
		t.Errorf("the cursors are %q and %q", two, three)
	}
	office.ack(three)
	office.to(otherURL).ack(two) // a late acknowledgement
	office.to(otherURL).pulled(10, "k1/4", "k1/5", "k2/1", "k1/6", "k1/7", "k1/8")
	office.ack(office.pulled(2, "k1/4", "k1/5"))
	office.ack(three)
	into := office.pulled(2, "k2/1", "k1/6")
	office.ack(into)
	office.ack("2") // the whole of an earlier message
	rest := office.pulled(10, "k1/7", "k1/8")
	office.ack(rest)
	office.ack(into)
	if got := office.pulled(10); got != rest || place(got) != "3" {
		t.Errorf("after all of them the cursor is %q, %q", rest, got)
	}
	// A number above the number of events in the message means all of its events.
	archive := b.consumer(url, "archive")
	archive.ack("1.9")
	archive.pulled(1, "k2/1")
}

// A pull that waited for a message returns at most as many of its events as it requested.
func TestFeedWaitsForPartOfMessage(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	answers := make(chan string)
	go func() { answers <- office.pulledWaiting(2, "k1/1", "k1/2") }()
	b.waitForReader()
	k1.send(k1.events(5), 5)
	office.ack(<-answers)
	office.pulled(10, "k1/3", "k1/4", "k1/5")
}

func (p *party) pulledWaiting(max int, want ...string) (cursor string) {
	got, cursor := p.pull(max, 30*time.Second)
	if !slices.Equal(got, want) {
		p.t.Errorf("%s pulled %v, want %v", p.id, got, want)
	}
	return cursor
}

func TestPositions(t *testing.T) {
	rising := []string{"0", "1.1", "1.2", "1.500", "1", "2.1", "2", "18446744073709551615"}
	for i, a := range rising {
		p, err := parsePosition(a)
		if err != nil || p.String() != a {
			t.Errorf("%s is read as %v, %v", a, p, err)
		}
		for j, c := range rising {
			q, err := parsePosition(c)
			if err != nil || p.beyond(q) != (i > j) {
				t.Errorf("%s beyond %s: %v", a, c, p.beyond(q))
			}
		}
	}
	for _, bad := range []string{"", ".", "1.", ".1", "1.0", "0.1", "1.2.3", "-1", "+1", "1.-1", "x", "1,2", " 1", "18446744073709551616"} {
		if p, err := parsePosition(bad); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}

// The hub refuses every cursor that the feed did not issue.
func TestForeignCursors(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	k1.send(k1.events(2), 2)
	for _, cursor := range []string{"2", "2.1", "0.1", "1.0", "x"} {
		err := office.AckFeed(t.Context(), "office", cursor)
		if problem, ok := errors.AsType[*hubapi.Problem](err); !ok || problem.Type != hubapi.KindMalformed {
			t.Errorf("%s: got %v", cursor, err)
		}
	}
	office.pulled(10, "k1/1", "k1/2")
}

// again is a message that is delivered once more.
type again struct {
	jetstream.Msg
	subject string
	data    []byte
	place   uint64 // 0 means 1
}

func (a again) Subject() string   { return a.subject }
func (a again) Data() []byte      { return a.data }
func (a again) InProgress() error { return nil }
func (a again) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: max(1, a.place)}}, nil
}

// If a message is delivered again, because the hub stopped or an event could not be
// reviewed, each of its events is still reviewed once.
func TestReviewOfMessageAgain(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office, h := b.kiosk(url, "k1"), b.consumer(url, "office"), b.open()
	visit := offlineVisit(t, b, "valid")
	k1.send(k1.visits(b.now(), visit, visit, visit), 3)
	msg, err := h.events.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m := again{subject: msg.Subject, data: msg.Data}
	for range 2 {
		if err := h.reviewMessage(t.Context(), m, &reviewFailures{}); err != nil {
			t.Fatal(err)
		}
	}
	k1.send(k1.visits(b.now(), visit), 4)
	for i, r := range office.reviews(4) {
		if r.Sequence != uint64(i+1) {
			t.Errorf("review %d is of event %d", i+1, r.Sequence)
		}
	}
}

// The hub gives up on an event after some failed reviews. Failures of the store do not
// count.
func TestReviewGivesUp(t *testing.T) {
	var tr reviewFailures
	first, second := position{place: 1, part: 1}, position{place: 1, part: 2}
	for i := range maxReviewTries {
		if tr.giveUp(first, storeError{context.DeadlineExceeded}) {
			t.Fatal("it gives up because the store fails")
		}
		if got := tr.giveUp(first, errors.New("no answer")); got != (i == maxReviewTries-1) {
			t.Fatalf("try %d: %v", i+1, got)
		}
	}
	if tr.giveUp(second, errors.New("no answer")) {
		t.Error("it gives up on the next event at once")
	}
}
