package push

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

const (
	epochA = "00000000000000aa"
	epochB = "00000000000000bb"
)

// keeper is an outbox that still keeps the events from First on.
type keeper struct {
	*memory
	position store.Position
	epoch    store.Epoch
	fails    int // the number of the call that fails, 0 for none
	reads    int
	unacked  []uint64
}

// newKeeper returns an outbox with 3 events of one epoch and 5 of the next one.
func newKeeper() *keeper {
	k := &keeper{memory: newMemory(0, 0), position: store.Position{First: 2, Acked: 7, Last: 8}, epoch: store.Epoch{ID: epochB, First: 4}}
	for n := uint64(1); n <= 8; n++ {
		epoch, sequence := epochA, n
		if n > 3 {
			epoch, sequence = epochB, n-3
		}
		k.records = append(k.records, store.Record{Sequence: n, Link: link(n), Data: fmt.Appendf(nil,
			`{"specversion":"1.0","id":"0193","source":"urn:smartkiosk:kiosk:k1","type":"smartkiosk.visit.v1","time":"2026-11-22T12:00:00.000Z","epoch":%q,"sequence":"%020d","bootid":"b","uptimems":"1","clocktrusted":true}`, epoch, sequence)})
	}
	return k
}

func (k *keeper) Position() store.Position { return k.position }
func (k *keeper) Epoch() store.Epoch       { return k.epoch }

func (k *keeper) Records(after uint64, limit int) ([]store.Record, error) {
	if k.reads++; k.reads == k.fails {
		return nil, errors.New("disk")
	}
	return k.memory.Records(max(after, k.position.First-1), min(limit, 3)) // fewer than asked for
}

func (k *keeper) Pending(after uint64, limit int) ([]store.Record, error) {
	return k.Records(max(after, k.position.Acked), limit)
}

func (k *keeper) Unack(after uint64) error {
	k.unacked = append(k.unacked, after)
	return nil
}

// The kiosk sends the first of the missing events that it keeps and that was acknowledged,
// and all after it.
func TestSendMissing(t *testing.T) {
	for name, c := range map[string]struct {
		missing []hubapi.LostEvents
		after   []uint64
	}{
		"none":                    {nil, nil},
		"the first kept one":      {[]hubapi.LostEvents{{Epoch: epochA, From: 2, Through: 2}}, []uint64{1}},
		"one of two epochs":       {[]hubapi.LostEvents{{Epoch: epochB, From: 2, Through: 2}}, []uint64{4}},
		"the earliest of several": {[]hubapi.LostEvents{{Epoch: epochB, From: 4, Through: 9}, {Epoch: epochB, From: 1, Through: 1}}, []uint64{3}},
		"a range":                 {[]hubapi.LostEvents{{Epoch: epochB, From: 3, Through: 5}}, []uint64{5}},
		"the last acknowledged":   {[]hubapi.LostEvents{{Epoch: epochB, From: 4, Through: 4}}, []uint64{6}},
		"a pending one":           {[]hubapi.LostEvents{{Epoch: epochB, From: 5, Through: 5}}, nil},
		"one that is deleted":     {[]hubapi.LostEvents{{Epoch: epochA, From: 1, Through: 1}}, nil},
		"of another epoch":        {[]hubapi.LostEvents{{Epoch: "00000000000000cc", From: 1, Through: 9}}, nil},
	} {
		k := newKeeper()
		p := &Pusher{Queue: k, Log: slog.New(slog.DiscardHandler)}
		for range 2 { // the hub says the same again
			if err := p.heed(hubapi.Acknowledgement{Missing: c.missing}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(k.unacked, c.after) {
			t.Errorf("%s: sent again after %v, not %v", name, k.unacked, c.after)
		}
	}
}

// The outbox cannot be read, or has less than it says.
func TestSendMissingFails(t *testing.T) {
	missing := hubapi.Acknowledgement{Missing: []hubapi.LostEvents{{Epoch: epochB, From: 4, Through: 4}}}
	for fails := 1; fails <= 2; fails++ {
		k := newKeeper()
		k.fails = fails
		if err := (&Pusher{Queue: k}).heed(missing); err == nil || k.unacked != nil {
			t.Errorf("read %d fails: %v, sent again after %v", fails, err, k.unacked)
		}
	}
	k := newKeeper()
	k.records = k.records[:4]
	if err := (&Pusher{Queue: k}).heed(missing); err != nil || k.unacked != nil {
		t.Errorf("the outbox is short: %v, sent again after %v", err, k.unacked)
	}
	k = newKeeper()
	k.records[6].Data = []byte("x")
	if err := (&Pusher{Queue: k}).heed(missing); err != nil || k.unacked != nil {
		t.Errorf("the event cannot be read: %v, sent again after %v", err, k.unacked)
	}
}

// A new epoch begins if the hub has other events of the current one.
func TestConflict(t *testing.T) {
	for name, c := range map[string]struct {
		hubapi.Acknowledgement
		begun []string
	}{
		"none":             {hubapi.Acknowledgement{Epoch: epochB}, nil},
		"of this epoch":    {hubapi.Acknowledgement{Epoch: epochB, Conflict: true}, []string{event.EpochConflict}},
		"of a former one":  {hubapi.Acknowledgement{Epoch: epochA, Conflict: true}, nil},
		"with lost events": {hubapi.Acknowledgement{Epoch: epochB, Conflict: true, Missing: []hubapi.LostEvents{{Epoch: epochA, From: 2, Through: 2}}}, []string{event.EpochConflict}},
	} {
		k := newKeeper()
		var begun []string
		p := &Pusher{Queue: k, Log: slog.New(slog.DiscardHandler), BeginEpoch: func(e event.Epoch) (uint64, error) {
			begun = append(begun, e.Why)
			return 9, nil
		}}
		if err := p.heed(c.Acknowledgement); err != nil || !slices.Equal(begun, c.begun) || (len(c.Missing) > 0) != (len(k.unacked) > 0) {
			t.Errorf("%s: begun %v, sent again after %v, %v", name, begun, k.unacked, err)
		}
		p.BeginEpoch = func(event.Epoch) (uint64, error) { return 0, errors.New("disk") }
		if err := p.heed(c.Acknowledgement); (err != nil) != (c.begun != nil) {
			t.Errorf("%s, on a full disk: %v", name, err)
		}
	}
}

// newestOf finds the newest pending event at which a branch of the hub ends.
func TestNewestOf(t *testing.T) {
	k := newKeeper()
	k.position.Acked = 1
	p := &Pusher{Queue: k}
	for _, c := range []struct {
		from uint64
		has  []uint64
		want uint64
	}{{2, []uint64{4, 7, 1, 99}, 7}, {2, []uint64{8}, 8}, {5, []uint64{4}, 0}, {5, []uint64{5}, 5}, {2, []uint64{1}, 0}, {2, nil, 0}} {
		var has []hubapi.Branch
		for _, n := range c.has {
			has = append(has, hubapi.Branch{Link: link(n)})
		}
		if got, err := p.newestOf(c.from, has); got != c.want || err != nil {
			t.Errorf("from %d the newest of %v is %d, %v", c.from, c.has, got, err)
		}
	}
	for fails := range 4 {
		k.reads, k.fails = 0, fails
		if _, err := p.newestOf(2, nil); (err != nil) != (fails > 0) {
			t.Errorf("read %d fails: %v", fails, err)
		}
	}
}

// link says what the outbox keeps.
func TestLinkOfKeptEvents(t *testing.T) {
	k := newKeeper()
	p := &Pusher{Queue: k}
	for n := uint64(1); n <= 9; n++ {
		id, kept, err := p.link(n)
		if want := n >= 2 && n <= 8; kept != want || err != nil || want && string(id) != string(link(n)) {
			t.Errorf("event %d: %q, kept %v, %v", n, id, kept, err)
		}
	}
	k.fails = k.reads + 1
	if _, _, err := p.link(3); err == nil {
		t.Error("the outbox cannot be read, without an error")
	}
}
