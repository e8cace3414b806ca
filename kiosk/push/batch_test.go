package push

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// pipe is a line to a hub. The line and the hub each take some time. pipe fails the
// test if a batch arrives completely before the hub has answered the batches ahead
// of it.
type pipe struct {
	t     *testing.T
	hub   *hub
	takes func() time.Duration // time to carry a batch, and again to store it

	under []uint64 // batches in flight, by their first event
	most  int      // maximum number of batches in flight
	gaps  int      // number of gaps that the hub saw
}

func (p *pipe) send(ctx context.Context, batch []json.RawMessage, mine <-chan struct{}) (hubapi.Acknowledgement, error) {
	first, err := head(batch[0])
	if err != nil {
		p.t.Error(err)
	}
	turn.Lock()
	p.under = append(p.under, first.Sequence)
	p.most = max(p.most, len(p.under))
	turn.Unlock()
	defer func() {
		turn.Lock()
		defer turn.Unlock()
		p.under = slices.DeleteFunc(p.under, func(s uint64) bool { return s == first.Sequence })
	}()
	carried := make(chan struct{})
	time.AfterFunc(p.takes(), func() { close(carried) })
	for _, passed := range []<-chan struct{}{carried, mine} {
		select {
		case <-passed:
		case <-ctx.Done():
			return hubapi.Acknowledgement{}, ctx.Err()
		}
	}
	turn.Lock()
	if ahead := slices.Min(p.under); ahead < first.Sequence {
		p.t.Errorf("the batch of event %d arrived completely before the batch of %d was answered", first.Sequence, ahead)
	}
	turn.Unlock()
	<-time.After(p.takes())
	n, err := p.hub.send(ctx, batch)
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok && problem.Type == hubapi.KindGap {
		p.gaps++
	}
	return hubapi.Acknowledgement{Acknowledged: n}, err
}

// While the hub stores a batch, the pusher sends the next one. During a visit it
// does not.
func TestTwoAtOnce(t *testing.T) {
	for busy, want := range map[bool]int{false: atOnce, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			const step = 100 * time.Millisecond
			q, h := newMemory(4000, 6000), newHub(t)
			p := &pipe{t: t, hub: h, takes: func() time.Duration { return step }}
			runSend(t, q, p.send, func(p *Pusher) { p.Busy = func() bool { return busy } })
			pass(time.Hour)
			if q.acked != 4000 || p.most != want {
				t.Errorf("acknowledged %d of 4000; %d batches were under way at once, want %d", q.acked, p.most, want)
			}
			full, took := 4000*6000/maxBatch, h.times[len(h.times)-1]
			if few := 6; !busy && took > time.Duration(2*few+full+1)*step {
				t.Errorf("%d full batches and %d smaller ones took %v", full, few, took)
			}
		})
	}
}

// The hub receives no complete batch before its turn, whatever happens to the batch
// ahead of it. So no batch arrives out of order, and the hub refuses none for a gap.
func TestWhatFollowsIsGivenUp(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 4 {
		synctest.Test(t, func(t *testing.T) {
			q, h := newMemory(1000, 30_000), newHub(t)
			p := &pipe{t: t, hub: h, takes: func() time.Duration {
				turn.Lock()
				defer turn.Unlock()
				return time.Duration(random.IntN(100)) * time.Millisecond
			}}
			fails := func() error {
				if random.IntN(8) == 0 {
					return errors.New("connection reset")
				}
				return nil
			}
			h.fail, h.after = fails, fails
			h.poison = 400 + random.Uint64N(500)
			runSend(t, q, p.send, func(p *Pusher) { p.DeadLetter = q.deadLetter })
			pass(time.Hour)
			if q.acked != 1000 || h.last != 1000 || len(q.deadLetters) != 1 {
				t.Errorf("acknowledged %d, hub has %d of 1000, dead letters %q", q.acked, h.last, q.deadLetters)
			}
			// One gap is intended: the pusher sends the newest event to find out
			// whether the refused one is poison.
			if p.most != atOnce || p.gaps > 1 {
				t.Errorf("%d batches were under way at once; %d were out of order", p.most, p.gaps)
			}
		})
	}
}
