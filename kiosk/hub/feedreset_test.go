package hub

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// feedStore opens the stream as commands do.
func (b *bed) feedStore() *feedStore {
	b.t.Helper()
	r := b.registry()
	events, err := openEvents(b.t.Context(), r.js)
	if err != nil {
		b.t.Fatal(err)
	}
	cursors, err := openCursors(b.t.Context(), r.js)
	if err != nil {
		b.t.Fatal(err)
	}
	return &feedStore{r, events, cursors}
}

// The operator moves a consumer to the start, the end, a time or a cursor, and learns what
// that skips or repeats.
func TestFeedReset(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	for i := range 3 {
		k1.send(k1.events(1), uint64(i+1))
	}
	s := b.feedStore()
	third, err := s.events.GetMsg(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	middle := third.Time.Add(1).UTC().Format(time.RFC3339Nano)
	for i := range 2 {
		k1.send(k1.events(1), uint64(i+4))
	}
	second := office.pulled(2, "k1/1", "k1/2")
	office.ack(second)
	h := b.open()
	for _, archived := range []uint64{0, 1, 2, 3, 4} {
		h.archiveUpTo(t, archived)
		for _, tt := range []struct {
			to                string
			skipped, repeated uint64
			next              []string
		}{
			{FeedEnd, 3, 0, nil},
			{FeedStart, 0, 5, places("k1", 1, 5)},
			{middle, 3, 0, places("k1", 4, 5)},
			{second, 0, 1, places("k1", 3, 5)},
		} {
			got, err := s.reset(t.Context(), "office", tt.to)
			if err != nil || !got.Known || got.Skipped != tt.skipped || got.Repeated != tt.repeated || got.Left != uint64(len(tt.next)) {
				t.Errorf("%d archived, to %s: %+v, %v", archived, tt.to, got, err)
			}
			events, _, err := office.Feed(t.Context(), "office", 1, 0)
			if got := office.places(events); err != nil || len(got) != min(1, len(tt.next)) || len(got) == 1 && got[0] != tt.next[0] {
				t.Errorf("%d archived, to %s: the next event is %s, %v", archived, tt.to, got, err)
			}
		}
	}
	for to, want := range map[string]string{
		"yesterday": "is not start, end, a time such as",
		"9":         "the cursor is at 9, but the stream ends at 5",
		"1@x":       "the stream has another event at 1",
		"1@x@other": "the cursor is of another stream",
	} {
		if _, err := s.reset(t.Context(), "office", to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v, want %s", to, err, want)
		}
	}
	for _, name := range []string{"nobody", "No Name"} {
		if _, err := s.reset(t.Context(), name, FeedStart); err == nil || !strings.Contains(err.Error(), "there is no consumer with this name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A stream that was created again is not the one that a cursor belongs to, even if it has an
// event at the cursor's place. Neither reading nor acknowledging skips events.
func TestStreamCreatedAgain(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	k1.send(k1.events(1), 1)
	old := office.pulled(10, "k1/1")
	office.ack(old)
	if err := b.registry().js.DeleteStream(t.Context(), eventsStream); err != nil {
		t.Fatal(err)
	}
	b.feedStore() // creates it
	k2 := b.kiosk(url, "k2")
	k2.send(k2.events(1), 1)
	k2.send(k2.events(1), 2)

	rolledBack := func(what string, err error) {
		t.Helper()
		if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindRolledBack || p.Status != 409 ||
			!strings.Contains(p.Detail, "of another stream") || !strings.Contains(p.Detail, "kioskhub feed reset office --to start") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := office.Feed(t.Context(), "office", 10, 0)
	rolledBack("the feed", err)
	rolledBack("an old acknowledgement", office.AckFeed(t.Context(), "office", old))
	_, _, err = office.Pull(t.Context(), "office", hubapi.Pull{Max: 10, After: old})
	rolledBack("a replay", err)
	events, fresh, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 10, After: "0", Kiosks: []string{"k2"}})
	if got := office.places(events); err != nil || strings.Join(got, " ") != "k2/1 k2/2" {
		t.Fatalf("from the beginning: %v, %v", got, err)
	}
	rolledBack("an acknowledgement that would end the error", office.AckFeed(t.Context(), "office", fresh))

	if _, err := b.feedStore().reset(t.Context(), "office", FeedStart); err != nil {
		t.Fatal(err)
	}
	events, _, err = office.Pull(t.Context(), "office", hubapi.Pull{Max: 10})
	if err != nil || len(events) < 2 {
		t.Fatalf("after the reset: %d events, %v", len(events), err)
	}
	var alarms []event.Alarm
	eventually(t, func() error {
		if alarms = office.alarmsOf(event.AlarmRolledBack); len(alarms) == 0 {
			return errors.New("there is no alarm")
		}
		return nil
	})
	if alarms[0].Reader != "office" || alarms[0].Kiosk != "" {
		t.Errorf("the alarm is %+v", alarms[0])
	}
}

// Cursors of hubs before this one do not name their stream. They go on to work while the
// stream has their event.
func TestOldCursors(t *testing.T) {
	b := newBed(t)
	h, url := b.open(), b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	for i := range 3 {
		k1.send(k1.events(1), uint64(i+1))
	}
	first := office.pulled(1, "k1/1")
	parts := strings.Split(first, "@")
	if len(parts) != 3 {
		t.Fatalf("the cursor is %s", first)
	}
	if _, err := h.cursors.PutString(t.Context(), "office", parts[0]+"@"+parts[1]); err != nil {
		t.Fatal(err)
	}
	second := office.pulled(1, "k1/2")
	office.ack(strings.Join(strings.Split(second, "@")[:2], "@"))
	office.pulled(10, "k1/3")
	entry, err := h.cursors.Get(t.Context(), "office")
	if err != nil || string(entry.Value()) != second {
		t.Errorf("the cursor is stored as %s, %v, want %s", entry.Value(), err, second)
	}
}

// The hub's own reviews stop with an alarm if the stream was rolled back behind their place,
// and go on where the operator decides.
func TestReviewsAfterRollback(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office, s := b.kiosk(url, "k1"), b.consumer(url, "office"), b.feedStore()
	k1.send(k1.events(1), 1)
	if _, err := s.cursors.PutString(t.Context(), reviewsReader, "7@x"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return s.events.DeleteConsumer(t.Context(), reviewer) }) // the hub opens it again
	eventually(t, func() error {
		a := office.alarmsOf(event.AlarmRolledBack)
		if len(a) == 0 {
			return errors.New("there is no alarm")
		}
		if a[0].Reader != ReviewsReader || !strings.Contains(a[0].Detail, "kioskhub feed reset hub.reviews --to start") {
			t.Errorf("the alarm is %+v", a[0])
		}
		return nil
	})
	if _, err := s.events.Consumer(t.Context(), reviewer); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("before the reset: %v", err)
	}
	if _, err := s.reset(t.Context(), reviewsReader, FeedStart); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := s.events.Consumer(t.Context(), reviewer)
		return err
	})
}
