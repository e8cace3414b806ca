package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// deadLetter replaces an event in memory, as the outbox does.
func (m *memory) deadLetter(sequence uint64, problem string) error {
	turn.Lock()
	defer turn.Unlock()
	m.deadLetters = append(m.deadLetters, fmt.Sprintf("%d %s", sequence, problem))
	m.records[sequence-1].Data = fmt.Appendf(nil, `{"sequence":%d,"standin":true}`, sequence)
	return nil
}

// A dead letter replaces only the poisonous event, and the events after it are
// sent within seconds.
func TestPoisonIsDeadLettered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(20, 10), newHub(t)
		h.poison = 8
		log := run(t, q, h.send, func(p *Pusher) { p.DeadLetter = q.deadLetter })
		pass(time.Minute)
		if q.acked != 20 || h.last != 20 {
			t.Errorf("acknowledged %d, hub has %d of 20", q.acked, h.last)
		}
		if len(q.deadLetters) != 1 || q.deadLetters[0] != "8 bad seal: " {
			t.Errorf("dead letters %q", q.deadLetters)
		}
		if !strings.Contains(log.String(), "event replaced by a dead letter") || !strings.Contains(log.String(), "sequence=8") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// The pusher skips events that the hub can no longer open if the hub stored them
// earlier. If it did not, a dead letter replaces each of them.
func TestRetiredKey(t *testing.T) {
	for name, tt := range map[string]struct {
		has         uint64 // last event that the hub stored earlier
		deadLetters int
	}{
		"none":         {0, 5},
		"some":         {3, 2},
		"all of them":  {5, 0},
		"and the next": {6, 0},
		"all there is": {8, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			q, h := newMemory(8, 10), newHub(t)
			h.last, h.poison, h.through = tt.has, 1, 5
			run(t, q, h.send, func(p *Pusher) { p.DeadLetter = q.deadLetter })
			pass(10 * time.Minute)
			if q.acked != 8 || h.last != 8 || len(q.deadLetters) != tt.deadLetters {
				t.Errorf("%s: acknowledged %d, hub has %d of 8, dead letters %q", name, q.acked, h.last, q.deadLetters)
			}
		})
	}
}

// No event becomes a dead letter if the hub refuses every event, or if no event
// follows the refused one.
func TestHubAtFault(t *testing.T) {
	for name, tt := range map[string]struct {
		events int
		from   uint64 // first refused event; all later events are refused too
	}{
		"all refused":    {20, 8},
		"nothing behind": {8, 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			q, h := newMemory(tt.events, 10), newHub(t)
			h.poison, h.poisonAll = tt.from, true
			run(t, q, h.send, func(p *Pusher) { p.DeadLetter = q.deadLetter })
			pass(time.Hour)
			if len(q.deadLetters) != 0 || q.acked != tt.from-1 {
				t.Errorf("%s: dead letters %q, acknowledged %d", name, q.deadLetters, q.acked)
			}
			h.poison = 0 // the hub has its key again
			pass(maxWait * 2)
			if q.acked != uint64(tt.events) {
				t.Errorf("%s: acknowledged %d of %d", name, q.acked, tt.events)
			}
		})
	}
}

// During a visit the pusher sends small batches. It still sends the whole backlog.
func TestVisitComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(1000, 6000), newHub(t)
		var free atomic.Bool // no visit is in progress
		largest, most := 0, 0
		send := func(ctx context.Context, batch []json.RawMessage) (uint64, error) {
			size := 0
			for _, e := range batch {
				size += len(e)
			}
			if !free.Load() {
				largest = max(largest, size)
			}
			most = max(most, len(batch))
			acknowledged, err := h.send(ctx, batch)
			free.Store(acknowledged >= 300)
			return acknowledged, err
		}
		run(t, q, send, func(p *Pusher) { p.Busy = func() bool { return !free.Load() } })
		if q.acked != 1000 {
			t.Errorf("acknowledged %d of 1000", q.acked)
		}
		if largest > minBatch {
			t.Errorf("a batch of %d bytes during a visit", largest)
		}
		if most < 100 {
			t.Errorf("no batch after the visit has more than %d events", most)
		}
	})
}

// An event whose key the hub does not know never becomes a dead letter, although the hub
// accepts later ones. It is sent as soon as the hub knows the key.
func TestUnknownKeyIsNotPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(20, 10), newHub(t)
		h.poison = 8
		send := func(ctx context.Context, batch []json.RawMessage) (uint64, error) {
			acknowledged, err := h.send(ctx, batch)
			if problem, ok := errors.AsType[*hubapi.Problem](err); ok && problem.Type == hubapi.KindEvent {
				problem.Type = hubapi.KindDeviceKey
			}
			return acknowledged, err
		}
		log := run(t, q, send, func(p *Pusher) { p.DeadLetter = q.deadLetter })
		pass(time.Hour)
		if len(q.deadLetters) != 0 || q.acked != 7 {
			t.Errorf("dead letters %q, acknowledged %d", q.deadLetters, q.acked)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "cannot push events") {
			t.Errorf("log:\n%s", log)
		}
		turn.Lock()
		h.poison = 0
		turn.Unlock()
		pass(maxWait * 2)
		if q.acked != 20 {
			t.Errorf("acknowledged %d of 20", q.acked)
		}
	})
}
