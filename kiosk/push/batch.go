package push

import (
	"context"
	"encoding/json"
	"time"
)

// MaxEvents is how many events are in one batch at most.
const MaxEvents = 500

const (
	// atOnce is how many batches are under way at once: the hub opens the
	// events of one, which is most of the work, while it stores those of the
	// other.
	atOnce = 2

	// Bytes of events in one batch, or one event if that is larger. Batches
	// begin small, double while they arrive at once and are halved when they
	// do not within batchTime: so long at most does a slow line, or a hub with
	// much to do, let the person wait who comes while they are under way.
	firstBatch = 64 << 10
	minBatch   = 16 << 10
	maxBatch   = 2 << 20
	batchTime  = time.Second

	readEvents = 16 // read from the outbox at once

	sendTimeout = 30 * time.Second
)

// batch is some events on their way to the hub.
type batch struct {
	first, last uint64
	turn        chan<- struct{} // closed when the hub may have all of it
	cancel      context.CancelFunc

	answered     chan struct{} // closed when there is what follows
	acknowledged uint64
	err          error
	took         time.Duration
}

// begin sends what is pending after a sequence number. It gives nil when nothing
// is.
func (p *Pusher) begin(ctx context.Context, after uint64) (*batch, error) {
	limit := p.bytes
	if p.busy() {
		limit = minBatch
	}
	first, events, err := p.read(after, limit)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	turn := make(chan struct{})
	b := &batch{first: first, last: first + uint64(len(events)) - 1, turn: turn, answered: make(chan struct{})}
	ctx, b.cancel = context.WithTimeout(ctx, sendTimeout)
	go func() {
		defer close(b.answered)
		began := time.Now()
		b.acknowledged, b.err = p.Send(ctx, events, turn)
		b.took = time.Since(began)
	}()
	return b, nil
}

// follow sends further events behind the batches that are under way. It does so
// only once batches are of full size: on a line that takes its time they would
// share it, and a person's request would get less of it.
func (p *Pusher) follow(ctx context.Context) {
	for len(p.under) < atOnce && p.bytes == maxBatch && !p.busy() {
		b, err := p.begin(ctx, p.under[len(p.under)-1].last)
		if err != nil || b == nil {
			return // what cannot be read shows when it is first
		}
		p.under = append(p.under, b)
	}
}

// finish ends the first batch under way, once it is answered. Unless the hub took
// all of it, others than those that follow come next.
func (p *Pusher) finish() *batch {
	b := p.under[0]
	p.under = p.under[1:]
	<-b.answered
	b.cancel()
	if b.err != nil || b.acknowledged != b.last {
		p.giveUp()
	}
	switch {
	case b.err != nil, b.took > batchTime:
		p.bytes = max(p.bytes/2, minBatch)
	case b.took < batchTime/2:
		p.bytes = min(p.bytes*2, maxBatch)
	}
	return b
}

// giveUp ends all batches that are under way. None had its turn, so that the hub
// has nothing of them.
func (p *Pusher) giveUp() {
	for _, b := range p.under {
		b.cancel()
		<-b.answered
	}
	p.under = nil
}

// read gives the events that are pending after a sequence number, and the first's
// number: as many as go into a batch of so many bytes, or one if that is larger.
func (p *Pusher) read(after uint64, limit int) (first uint64, events []json.RawMessage, err error) {
	last := after
	for size := 0; ; {
		// A few at a time: nobody knows how large they are.
		records, err := p.Queue.Pending(last, min(MaxEvents-len(events), readEvents))
		switch {
		case err != nil && len(events) == 0:
			return 0, nil, err
		case err != nil || len(records) == 0:
			return first, events, nil // those before a damaged one are good
		}
		for _, r := range records {
			if size += len(r.Data); size > limit && len(events) > 0 {
				return first, events, nil
			}
			if len(events) == 0 {
				first = r.Sequence
			}
			events, last = append(events, r.Data), r.Sequence
		}
		if len(events) == MaxEvents {
			return first, events, nil
		}
	}
}

// sendOne hands a single event to the hub, with nothing else under way.
func (p *Pusher) sendOne(ctx context.Context, event json.RawMessage) (acknowledged uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	turn := make(chan struct{})
	close(turn)
	return p.Send(ctx, []json.RawMessage{event}, turn)
}
