package push

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// has is a hub's branch that ends with an event.
func has(n uint64) []hubapi.Branch {
	return []hubapi.Branch{{Epoch: epochB, First: 1, Last: n - 3, Link: link(n)}}
}

// The pusher sends the events again that the hub lacks. If the outbox does not keep them, it
// begins a new epoch that names them, and sends the announcement before the event.
func TestFill(t *testing.T) {
	problem := errors.New("gap")
	for name, tt := range map[string]struct {
		early early
		epoch store.Epoch // if not that of newKeeper
		at    uint64
		has   []hubapi.Branch
		begun []event.Epoch
		after []uint64
		want  early
		fails int // the number of the read that fails
	}{
		"kept":                {at: 7, has: has(5), after: []uint64{5}},
		"nothing at the hub":  {at: 7, after: []uint64{1}},
		"the first kept one":  {at: 2, begun: []event.Epoch{{Why: event.EpochGap, LostEpoch: epochA, LostFrom: 1, LostThrough: 1, Vouches: vouches(2)}}, after: []uint64{1}, want: early{2, 99, true}, epoch: store.Epoch{ID: epochA, First: 1}},
		"of a former epoch":   {at: 2, after: []uint64{1}, want: early{2, 4, false}},
		"tried before":        {at: 2, early: early{2, 4, false}, begun: []event.Epoch{{Why: event.EpochGap, LostEpoch: epochA, LostFrom: 1, LostThrough: 1, Vouches: vouches(2)}}, after: []uint64{1}, want: early{2, 99, true}},
		"begun before":        {at: 2, early: early{2, 99, true}, after: []uint64{1}, want: early{2, 99, true}},
		"for another event":   {at: 2, early: early{6, 99, true}, after: []uint64{1}, want: early{2, 4, false}},
		"says too little":     {at: 99, early: early{2, 99, true}, begun: []event.Epoch{{Why: event.EpochGap, LostEpoch: epochA, LostFrom: 1, LostThrough: 1, Vouches: vouches(2)}}, after: []uint64{1}, want: early{2, 99, true}},
		"the hub has the one": {at: 6, has: has(5), begun: []event.Epoch{{Why: event.EpochGap, Vouches: vouches(6)}}, after: []uint64{1}, want: early{6, 99, true}},
		"a failing link":      {at: 7, has: has(5), fails: 1},
		"a failing event":     {at: 2, epoch: store.Epoch{First: 1}, fails: 1},
	} {
		k := newKeeper()
		k.fails = tt.fails
		if tt.epoch.First > 0 {
			k.epoch = tt.epoch
		}
		var begun []event.Epoch
		p := &Pusher{Queue: k, Log: slog.New(slog.DiscardHandler), early: tt.early, BeginEpoch: func(e event.Epoch) (uint64, error) {
			begun = append(begun, e)
			return 99, nil
		}}
		err := p.fill(tt.at, tt.has, problem)
		if (err != nil) != (tt.fails > 0) || !reflect.DeepEqual(begun, tt.begun) || !slices.Equal(k.unacked, tt.after) || tt.fails == 0 && p.early != tt.want {
			t.Errorf("%s: begun %+v, sent again after %v, early %+v, %v", name, begun, k.unacked, p.early, err)
		}
	}
}

func vouches(n uint64) string { return base64.RawURLEncoding.EncodeToString(link(n)) }

// The pusher gives up filling a gap for a while, but not another one.
func TestFillGivesUp(t *testing.T) {
	problem := errors.New("gap")
	p := &Pusher{Queue: newKeeper(), Log: slog.New(slog.DiscardHandler)}
	for i, at := range []uint64{7, 7, 7, 7, 7, 6, 7, 7, 7, 7} {
		want := i == 3 || i == 9
		if err := p.fill(at, nil, problem); errors.Is(err, problem) != want || !want && err != nil {
			t.Errorf("attempt %d: %v", i+1, err)
		}
	}
}

// Without a new epoch there is nothing to send.
func TestCannotVouch(t *testing.T) {
	broken := errors.New("disk")
	for name, change := range map[string]func(*keeper, *Pusher){
		"no epoch":          func(_ *keeper, p *Pusher) { p.BeginEpoch = nil },
		"a full disk":       func(_ *keeper, p *Pusher) { p.BeginEpoch = func(event.Epoch) (uint64, error) { return 0, broken } },
		"event unreadable":  func(k *keeper, _ *Pusher) { k.records[1].Data = []byte("x") },
		"event is away":     func(k *keeper, _ *Pusher) { k.records[1].Sequence = 77 },
		"outbox is shorter": func(k *keeper, _ *Pusher) { k.records = k.records[:1] },
		"read fails":        func(k *keeper, _ *Pusher) { k.fails = 1 },
	} {
		k := newKeeper()
		k.epoch = store.Epoch{ID: epochA, First: 1}
		p := &Pusher{Queue: k, Log: slog.New(slog.DiscardHandler), BeginEpoch: func(event.Epoch) (uint64, error) { return 9, nil }}
		change(k, p)
		if err := p.fill(2, nil, broken); err == nil || k.unacked != nil || p.early != (early{}) {
			t.Errorf("%s: sent again after %v, early %+v, %v", name, k.unacked, p.early, err)
		}
	}
}

// read puts the early announcement before its event, and stops before what it cannot read.
func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		after  uint64
		limit  int
		early  early
		fails  int
		places []uint64
		err    bool
	}{
		"all":                   {0, 1 << 20, early{}, 0, []uint64{3, 4, 5, 6, 7, 8}, false},
		"after one":             {5, 1 << 20, early{}, 0, []uint64{6, 7, 8}, false},
		"none":                  {8, 1 << 20, early{}, 0, nil, false},
		"at least one":          {0, 1, early{}, 0, []uint64{3}, false},
		"early":                 {5, 1 << 20, early{7, 8, false}, 0, []uint64{6, 8, 7, 8}, false},
		"nothing can be read":   {0, 1 << 20, early{}, 1, nil, true},
		"the second part fails": {0, 1 << 20, early{}, 2, []uint64{3, 4, 5}, false},
		"the early one fails":   {0, 1 << 20, early{5, 8, false}, 2, []uint64{3, 4}, true},
	} {
		k := newKeeper()
		k.position.Acked, k.fails = 2, tt.fails
		p := &Pusher{Queue: k, early: tt.early}
		positions, events, err := p.read(tt.after, tt.limit)
		if !slices.Equal(positions, tt.places) || len(events) != len(positions) || (err != nil) != tt.err {
			t.Errorf("%s: %v, %v", name, positions, err)
		}
		for i, at := range positions {
			if string(events[i]) != string(k.records[at-1].Data) {
				t.Errorf("%s: event %d is %s", name, at, events[i])
			}
		}
	}
}

// As many events as fit into the limit are read, and never more than a batch may have.
func TestReadLimits(t *testing.T) {
	q := newMemory(MaxEvents+5, 10)
	p := &Pusher{Queue: q}
	one := len(q.records[0].Data)
	for limit, want := range map[int]int{0: 1, 2*one - 1: 1, 2 * one: 2, 9 * one: 9, 1 << 30: MaxEvents} {
		if positions, _, err := p.read(0, limit); len(positions) != want || err != nil {
			t.Errorf("%d bytes: %d events, %v", limit, len(positions), err)
		}
	}
}

// An early announcement counts until the event is acknowledged.
func TestEarlyUntilAcknowledged(t *testing.T) {
	for acked, want := range map[uint64]early{6: {7, 8, true}, 7: {}, 8: {}} {
		k := newKeeper()
		k.memory.records = k.records
		p := &Pusher{Queue: k, Log: slog.New(slog.DiscardHandler), early: early{7, 8, true}}
		progress, err := p.settle(&batch{positions: []uint64{acked}, answer: hubapi.Acknowledgement{Acknowledged: acked}})
		if !progress || err != nil || p.early != want || k.acked != acked {
			t.Errorf("acknowledged %d: early %+v, %v, %v", acked, p.early, progress, err)
		}
	}
	k := newKeeper()
	p := &Pusher{Queue: k}
	if progress, err := p.settle(&batch{positions: []uint64{9}, answer: hubapi.Acknowledgement{Acknowledged: 9}}); progress || err == nil {
		t.Errorf("acknowledged what is not there: %v, %v", progress, err)
	}
}

// A refused event becomes a dead letter only if everything around it can be read.
func TestRefusalFails(t *testing.T) {
	broken := errors.New("disk")
	for name, tt := range map[string]struct {
		fails  int
		answer error
		letter error
		done   bool
		acked  uint64
	}{
		"a dead letter":            {0, &hubapi.Problem{Type: hubapi.KindGap}, nil, true, 0},
		"the hub has it":           {0, nil, nil, true, 8},
		"the hub has a later one":  {0, &hubapi.Problem{Type: hubapi.KindGap, Has: has(6)}, nil, true, 6},
		"the hub has it alone":     {0, &hubapi.Problem{Type: hubapi.KindGap, Has: has(5)}, nil, true, 5},
		"the newest is unreadable": {1, &hubapi.Problem{Type: hubapi.KindGap}, nil, false, 0},
		"others are unreadable":    {2, &hubapi.Problem{Type: hubapi.KindGap}, nil, false, 0},
		"no dead letter":           {0, &hubapi.Problem{Type: hubapi.KindGap}, broken, false, 0},
		"another problem":          {0, &hubapi.Problem{Type: hubapi.KindNotReady}, nil, false, 0},
		"no answer":                {0, broken, nil, false, 0},
	} {
		k := newKeeper()
		k.position.Acked, k.fails = 4, tt.fails
		var letters []string
		p := &Pusher{
			Queue: k, Log: slog.New(slog.DiscardHandler),
			Send: func(_ context.Context, batch []json.RawMessage, turn <-chan struct{}) (hubapi.Acknowledgement, error) {
				<-turn
				if len(batch) != 1 || string(batch[0]) != string(k.records[7].Data) {
					t.Errorf("%s: sent %s", name, batch)
				}
				return hubapi.Acknowledgement{}, tt.answer
			},
			DeadLetter: func(_ uint64, problem string) error { letters = append(letters, problem); return tt.letter },
		}
		r := &refusal{sequence: 5, err: broken}
		for range deadLetterAfter - 1 {
			if progress, err := p.handleRefusal(t.Context(), r); progress || err != r {
				t.Errorf("%s: too early: %v, %v", name, progress, err)
			}
		}
		progress, err := p.handleRefusal(t.Context(), r)
		if progress != tt.done || (err == nil) != tt.done || !tt.done && !errors.Is(err, r) || k.acked != tt.acked {
			t.Errorf("%s: %v, %v, acknowledged %d", name, progress, err, k.acked)
		}
		if want := tt.done && tt.acked == 0 || tt.letter != nil; want != (len(letters) == 1) || want && letters[0] != "disk" {
			t.Errorf("%s: dead letters %q", name, letters)
		}
	}
}
