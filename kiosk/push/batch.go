package push

import (
	"context"
	"encoding/json"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// MaxEvents is the maximum number of events in a batch.
const MaxEvents = 500

const (
	// atOnce is the maximum number of batches in flight. With two, the hub can
	// decrypt the events of one, which is most of its work, while it stores
	// those of the other.
	atOnce = 2

	// Bytes of events in one batch; a larger event is sent by itself. Batches
	// start small, double while they are acknowledged quickly, and are halved
	// when one takes longer than batchTime. So a person who arrives while a
	// batch is in flight waits about that long on a slow line.
	firstBatch = 64 << 10
	minBatch   = 16 << 10
	maxBatch   = 2 << 20
	batchTime  = time.Second

	readEvents = 16 // read from the outbox at a time

	sendTimeout = 30 * time.Second
)

// batch is a request with events that is in flight.
type batch struct {
	positions []uint64        // of its events
	turn      chan<- struct{} // closed when Send may send the end of the body
	cancel    context.CancelFunc

	answered chan struct{} // closed when the fields below are set
	answer   hubapi.Acknowledgement
	err      error
	took     time.Duration
}

func (b *batch) last() uint64 { return b.positions[len(b.positions)-1] }

// through returns the position through which the hub has all events if it has the first n of
// the batch; 0 if it has none. An announcement that is sent early does not count.
func (b *batch) through(n int) uint64 {
	for ; n > 0; n-- {
		if at := b.positions[n-1]; at <= b.last() {
			return at
		}
	}
	return 0
}

// begin starts to send the events that are pending after a sequence number. It
// returns nil if no event is pending.
func (p *Pusher) begin(ctx context.Context, after uint64) (*batch, error) {
	limit := p.bytes
	if p.busy() {
		limit = minBatch
	}
	positions, events, err := p.read(after, limit)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	turn := make(chan struct{})
	b := &batch{positions: positions, turn: turn, answered: make(chan struct{})}
	ctx, b.cancel = context.WithTimeout(ctx, sendTimeout)
	go func() {
		defer close(b.answered)
		began := time.Now()
		b.answer, b.err = p.Send(ctx, events, turn)
		b.took = time.Since(began)
	}()
	return b, nil
}

// follow sends further batches after those in flight. It does so only once
// batches have full size: on a slow line the batches would share the bandwidth
// with a person's request.
func (p *Pusher) follow(ctx context.Context) {
	for len(p.inFlight) < atOnce && p.bytes == maxBatch && !p.busy() {
		b, err := p.begin(ctx, p.inFlight[len(p.inFlight)-1].last())
		if err != nil || b == nil {
			return // a read error is reported when the event is the first
		}
		p.inFlight = append(p.inFlight, b)
	}
}

// finish waits for the answer to the first batch in flight. Unless the hub
// accepted the batch, it cancels the following ones.
func (p *Pusher) finish() *batch {
	b := p.inFlight[0]
	p.inFlight = p.inFlight[1:]
	<-b.answered
	b.cancel()
	if b.err != nil {
		p.cancelAll()
	}
	switch {
	case b.err != nil, b.took > batchTime:
		p.bytes = max(p.bytes/2, minBatch)
	case b.took < batchTime/2:
		p.bytes = min(p.bytes*2, maxBatch)
	}
	return b
}

// cancelAll cancels the batches in flight. Their turn has not come, so the hub has
// stored none of their events.
func (p *Pusher) cancelAll() {
	for _, b := range p.inFlight {
		b.cancel()
		<-b.answered
	}
	p.inFlight = nil
}

// read returns the events that are pending after a position, and their positions: as many as
// fit into limit bytes, and at least one.
func (p *Pusher) read(after uint64, limit int) (positions []uint64, events []json.RawMessage, err error) {
	for size := 0; ; {
		// It reads a few events at a time, because they may be large.
		records, err := p.Queue.Pending(after, min(MaxEvents-len(events), readEvents))
		switch {
		case err != nil && len(events) == 0:
			return nil, nil, err
		case err != nil || len(records) == 0:
			return positions, events, nil // send the events before the damaged one
		}
		for _, r := range records {
			if size += len(r.Data); size > limit && len(events) > 0 {
				return positions, events, nil
			}
			if r.Sequence == p.early.before {
				announcement, err := p.Queue.Records(p.early.announcement-1, 1)
				if err != nil || len(announcement) == 0 {
					return positions, events, err
				}
				positions, events = append(positions, p.early.announcement), append(events, announcement[0].Data)
			}
			positions, events, after = append(positions, r.Sequence), append(events, r.Data), r.Sequence
		}
		if len(events) >= MaxEvents {
			return positions, events, nil
		}
	}
}

// sendOne sends a single event while no batch is in flight.
func (p *Pusher) sendOne(ctx context.Context, event json.RawMessage) (hubapi.Acknowledgement, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	turn := make(chan struct{})
	close(turn)
	return p.Send(ctx, []json.RawMessage{event}, turn)
}
