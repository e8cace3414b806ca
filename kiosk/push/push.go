// Package push sends the events of the outbox to the hub: in order, in batches,
// and again until the hub acknowledges that it has them on disk. All its state is
// in the outbox, so after a restart it continues where it was.
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

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// Queue is the outbox. The data of each record is a CloudEvent in JSON. The sequence numbers
// of records are positions: they count across epochs, unlike those in the events.
type Queue interface {
	// Pending returns up to limit records after a sequence number, in order,
	// that are not acknowledged.
	Pending(after uint64, limit int) ([]store.Record, error)
	// Records also returns acknowledged records, as far as they are still kept.
	Records(after uint64, limit int) ([]store.Record, error)
	// Ack marks all records through a sequence number as acknowledged. Unack makes those
	// after a sequence number pending again.
	Ack(through uint64) error
	Unack(after uint64) error
	// Position returns where the outbox stands.
	Position() store.Position
	// Epoch returns the outbox's current epoch.
	Epoch() store.Epoch
	// Sequence returns the number of the newest record.
	Sequence() uint64
	// Changed returns a channel that is closed when a record is added.
	Changed() <-chan struct{}
}

// Send sends the hub a batch and returns the hub's answer. Without an error the hub has
// the whole batch on disk. The error wraps a *hubapi.Problem if the hub refused. Send must
// hold back the end of the body until turn is closed, so that the hub stores
// nothing of the batch before that, and nothing at all if ctx ends first.
type Send = func(ctx context.Context, batch []json.RawMessage, turn <-chan struct{}) (hubapi.Acknowledgement, error)

const (
	// Pauses between retries. maxWait is low: a hub that is back receives what it
	// missed within seconds, and an overloaded hub asks for more by Retry-After.
	firstWait     = 250 * time.Millisecond
	maxWait       = 5 * time.Second // plus up to half of it as jitter
	maxRetryAfter = time.Hour
)

// Pusher sends one outbox.
type Pusher struct {
	Queue Queue
	Send  Send
	Log   *slog.Logger

	// Busy reports whether a visit is in progress. Batches are small then, so that
	// the person does not wait for the disk or the hub. nil means never.
	Busy func() bool
	// DeadLetter replaces an event that the hub refuses permanently although it
	// accepts later ones. If it is nil, the later events wait.
	DeadLetter func(sequence uint64, problem string) error
	// BeginEpoch begins a new epoch with an event that announces it, and returns the event's
	// position.
	BeginEpoch func(event.Epoch) (position uint64, err error)

	inFlight    []*batch // in order of their events
	bytes       int      // of the next batch
	wait        *backoff.ExponentialBackOff
	lastProblem string // as logged; "" while all is well
	early       early
	missing     []hubapi.LostEvents // that the hub named last
	gap         struct {            // that fill tries to fill
		at    uint64
		times int
	}
	refused struct {
		sequence uint64
		times    int
	}
}

// Run pushes until ctx ends and returns ctx's error. New records are sent at
// once, except during the pause after a failure.
func (p *Pusher) Run(ctx context.Context) error {
	p.bytes, p.wait = cmp.Or(p.bytes, firstBatch), backoff.NewExponentialBackOff()
	p.wait.InitialInterval, p.wait.MaxInterval, p.wait.Multiplier = firstWait, maxWait, 2
	defer p.cancelAll()
	for {
		changed := p.Queue.Changed() // before reading the queue, so that no record is missed
		progress, err := p.push(ctx)
		if refusal, ok := errors.AsType[*refusal](err); ok && p.DeadLetter != nil && ctx.Err() == nil {
			var further bool
			if further, err = p.handleRefusal(ctx, refusal); further && err == nil {
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

// push completes one batch and sends the next ones meanwhile. The hub gets the end
// of the next batch when this one is acknowledged. push reports whether the outbox
// became shorter, which can also happen when the hub refused a later event.
func (p *Pusher) push(ctx context.Context) (progress bool, err error) {
	if len(p.inFlight) == 0 {
		b, err := p.begin(ctx, 0)
		if err != nil || b == nil {
			return false, err
		}
		p.inFlight = append(p.inFlight, b)
	}
	close(p.inFlight[0].turn)
	p.follow(ctx)
	return p.settle(p.finish())
}

// settle handles the hub's answer to a batch.
func (p *Pusher) settle(b *batch) (progress bool, err error) {
	problem, n := &hubapi.Problem{}, len(b.positions) // the hub has the first n events
	if b.err != nil {
		if found, ok := errors.AsType[*hubapi.Problem](b.err); ok {
			problem = found
		}
		if problem.Event == nil || *problem.Event < 0 || *problem.Event >= n {
			return false, b.err
		}
		n = *problem.Event
	} else if b.answer.Acknowledged == 0 {
		return false, errors.New("hub acknowledged no event")
	}
	if through := b.through(n); through > 0 {
		if err := p.Queue.Ack(through); err != nil {
			p.cancelAll()
			return false, err
		}
		if p.early.before <= through {
			p.early = early{}
		}
		progress = true
	}
	switch {
	case b.err == nil:
		return true, p.heed(b.answer)
	case problem.Type == hubapi.KindGap:
		return true, p.fill(b.positions[n], problem.Has, b.err)
	case problem.Type == hubapi.KindEvent && n == 0:
		return false, &refusal{sequence: b.positions[0], err: b.err}
	case problem.Type == hubapi.KindEvent, problem.Type == hubapi.KindDeviceKey && progress:
		return true, nil // the refused event will be the first of the next batch
	}
	return progress, b.err
}

func (p *Pusher) beginEpoch(e event.Epoch) (position uint64, err error) {
	if p.BeginEpoch == nil {
		return 0, errors.New("the outbox cannot begin an epoch")
	}
	return p.BeginEpoch(e)
}

// busy reports whether a visit is in progress.
func (p *Pusher) busy() bool { return p.Busy != nil && p.Busy() }

// pause returns how long to wait after a failure.
func (p *Pusher) pause(err error) time.Duration {
	pause := p.wait.NextBackOff()
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok {
		pause = max(pause, min(problem.RetryAfter(), maxRetryAfter))
	}
	return pause
}

// report logs a problem when it changes, not at each retry.
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
	if worry == p.lastProblem {
		return
	}
	switch p.lastProblem = worry; {
	case err == nil:
		p.Log.Info("events reach the hub again")
	case isRefusal:
		p.Log.Error("hub refused an event; later events wait", "sequence", refusal.sequence, "request", hubapi.RequestID(refusal.err), "err", refusal.err)
	default:
		p.Log.Warn("cannot push events", "request", hubapi.RequestID(err), "err", err)
	}
}

// refusal is the error that the hub refuses the first pending event.
type refusal struct {
	sequence uint64
	err      error
}

func (r *refusal) Error() string { return fmt.Sprintf("hub refuses event %d: %v", r.sequence, r.err) }
func (r *refusal) Unwrap() error { return r.err }
