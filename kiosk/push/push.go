// Package push hands the outbox over to the hub: in order, in batches, again
// and again until the hub says that it has them on disk. It remembers nothing
// that is not in the outbox, so it goes on where it was after any restart.
package push

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// Queue is the outbox. The data of each record is a CloudEvent in JSON.
type Queue interface {
	// Pending gives up to limit records after a sequence number, in order,
	// that were not acknowledged.
	Pending(after uint64, limit int) ([]store.Record, error)
	// Records is Pending with those that were acknowledged and are kept.
	Records(after uint64, limit int) ([]store.Record, error)
	// Ack says that all records through a sequence number are the hub's.
	Ack(through uint64) error
	// Sequence gives the number of the newest record.
	Sequence() uint64
	// Changed gives a channel that is closed when a record is added.
	Changed() <-chan struct{}
}

// Send gives the hub a batch and returns the sequence number through which it
// has everything on disk. It wraps a *hubapi.Problem when the hub refused. Before
// turn is closed the hub must not get the whole of the batch, so that it stores
// nothing of it; nor when ctx ends before.
type Send = func(ctx context.Context, batch []json.RawMessage, turn <-chan struct{}) (acknowledged uint64, err error)

const (
	// Between tries of what failed. The ceiling is low: a hub that is back is
	// to have what it missed within seconds, and one that has too much to do
	// says so by Retry-After.
	firstWait     = 250 * time.Millisecond
	maxWait       = 5 * time.Second // half as much again by jitter
	maxRetryAfter = time.Hour
)

// Pusher hands one outbox over.
type Pusher struct {
	Queue Queue
	Send  Send
	Log   *slog.Logger

	// Busy tells whether a visit goes on: batches are small meanwhile, so
	// that neither the hub nor the disk is held up for its person. nil: never.
	Busy func() bool
	// Park puts another event in the place of one that the hub refuses for
	// good, while it would take those behind it. nil: they wait.
	Park func(sequence uint64, problem string) error

	under   []*batch // under way, each behind the one before
	bytes   int      // of the next batch
	wait    *backoff.ExponentialBackOff
	worry   string // what was logged last, "" when all is well
	said    uint64 // the event of which sayBefore was tried last
	refused struct {
		sequence uint64
		times    int
	}
}

// Run pushes until ctx ends, and returns its error. New records are sent at
// once, except while it waits after a failure: then they wait as well.
func (p *Pusher) Run(ctx context.Context) error {
	p.bytes, p.wait = cmp.Or(p.bytes, firstBatch), backoff.NewExponentialBackOff()
	p.wait.InitialInterval, p.wait.MaxInterval, p.wait.Multiplier = firstWait, maxWait, 2
	defer p.giveUp()
	for {
		changed := p.Queue.Changed() // before the look at what there is
		progress, err := p.push(ctx)
		if refusal, ok := errors.AsType[*refusal](err); ok && p.Park != nil && ctx.Err() == nil {
			var further bool
			if further, err = p.refusedAgain(ctx, refusal); further && err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.report(err)
		if progress {
			p.wait.Reset()
		}
		var pause <-chan time.Time
		switch {
		case err != nil:
			pause, changed = time.After(p.pause(err)), nil
		case progress:
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause:
		case <-changed:
		}
	}
}

// push brings one batch to its end, and has the next follow meanwhile: the hub has
// all of that but its end, which it gets when this one is acknowledged. It tells
// whether the outbox became shorter, which may be so when the hub refused a part.
func (p *Pusher) push(ctx context.Context) (progress bool, err error) {
	if len(p.under) == 0 {
		b, err := p.begin(ctx, 0)
		if err != nil || b == nil {
			return false, err
		}
		p.under = append(p.under, b)
	}
	close(p.under[0].turn)
	p.follow(ctx)
	return p.settle(ctx, p.finish())
}

// settle deals with the answer to a batch.
func (p *Pusher) settle(ctx context.Context, b *batch) (progress bool, err error) {
	acknowledged, err := b.acknowledged, b.err
	switch {
	case err != nil:
		acknowledged, err = refused(b.first, int(b.last-b.first)+1, err)
	case acknowledged < b.first:
		err = fmt.Errorf("hub acknowledged event %d, but was sent %d and on", acknowledged, b.first)
	}
	if isConflict(err) && p.said != b.first {
		p.said = b.first
		if err := p.sayBefore(ctx, b.first); err == nil {
			return true, nil
		}
	}
	if err != nil {
		return false, err
	}
	if err := p.Queue.Ack(acknowledged); err != nil {
		p.giveUp()
		return false, err
	}
	return true, nil
}

// busy tells whether a visit goes on.
func (p *Pusher) busy() bool { return p.Busy != nil && p.Busy() }

// pause is how long to wait after a failure.
func (p *Pusher) pause(err error) time.Duration {
	pause := p.wait.NextBackOff()
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok {
		pause = max(pause, min(problem.RetryAfter(), maxRetryAfter))
	}
	return pause
}

// report logs when it becomes another matter, not each try.
func (p *Pusher) report(err error) {
	var worry string
	if err != nil {
		worry = "unreachable"
	}
	problem, isProblem := errors.AsType[*hubapi.Problem](err)
	refusal, isRefusal := errors.AsType[*refusal](err)
	switch {
	case isRefusal:
		worry = refusal.Error()
	case isProblem:
		worry = string(problem.Type)
	}
	if worry == p.worry {
		return
	}
	switch p.worry = worry; {
	case err == nil:
		p.Log.Info("events reach the hub again")
	case isRefusal:
		p.Log.Error("event refused by the hub, those after it wait", "sequence", refusal.sequence, "err", refusal.err)
	default:
		p.Log.Warn("cannot push events", "err", err)
	}
}

// refusal is an event, the first that is pending, that the hub does not take.
type refusal struct {
	sequence uint64
	err      error
}

func (r *refusal) Error() string { return fmt.Sprintf("hub refuses event %d: %v", r.sequence, r.err) }
func (r *refusal) Unwrap() error { return r.err }

// refused reads a failed answer to a batch of n events from first on: through
// which event the hub has everything all the same, or what is wrong.
func refused(first uint64, n int, err error) (acknowledged uint64, _ error) {
	problem, ok := errors.AsType[*hubapi.Problem](err)
	switch {
	case !ok:
	case problem.Type == hubapi.KindGap && problem.Wanted > first:
		return problem.Wanted - 1, nil
	case problem.Type == hubapi.KindGap:
		return 0, fmt.Errorf("hub wants event %d, but the first here is %d: %w", problem.Wanted, first, err)
	case problem.Type == hubapi.KindEvent && problem.Event != nil && *problem.Event == 0:
		return 0, &refusal{sequence: first, err: err}
	case problem.Type == hubapi.KindEvent && problem.Event != nil && *problem.Event > 0 && *problem.Event < n:
		// The refused one will be the first of the next batch.
		return first + uint64(*problem.Event) - 1, nil
	}
	return 0, err
}
