package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// deadLetterAfter is the number of refusals after which an event becomes a dead
// letter. It is more than one because the hub may have a temporary fault.
const deadLetterAfter = 3

// handleRefusal decides what to do with an event that was refused deadLetterAfter times. It
// sends the newest event to learn why:
//   - If the hub objects only to the gap before it, the refused event is poison and
//     becomes a dead letter.
//   - If the hub already has later events, it also has the refused one: the kiosk
//     lost the acknowledgement in a restart, and the hub has since retired the key
//     that the event is sealed to. The event counts as acknowledged.
//   - If the hub refuses the newest event too, for example because it lacks a key, the
//     fault is the hub's and nothing becomes a dead letter.
//
// If no event is pending after the refused one, handleRefusal does nothing.
func (p *Pusher) handleRefusal(ctx context.Context, r *refusal) (progress bool, err error) {
	if p.refused.sequence != r.sequence {
		p.refused.sequence, p.refused.times = r.sequence, 0
	}
	if p.refused.times++; p.refused.times < deadLetterAfter {
		return false, r
	}
	newest := p.Queue.Sequence()
	if newest <= r.sequence {
		return false, r
	}
	behind, err := p.Queue.Pending(newest-1, 1)
	if err != nil || len(behind) == 0 {
		return false, errors.Join(r, err)
	}
	_, err = p.sendOne(ctx, behind[0].Data)
	problem, _ := errors.AsType[*hubapi.Problem](err)
	var has uint64 // the newest pending event that the hub has
	switch {
	case err == nil:
		// The hub has every event of the newest one's epoch, but not necessarily those before.
		if refused, err := p.Queue.Records(r.sequence-1, 1); err == nil && len(refused) > 0 && sameEpoch(refused[0].Data, behind[0].Data) {
			has = newest
		}
	case problem == nil || problem.Type != hubapi.KindGap:
		return false, r
	default:
		if has, err = p.newestOf(r.sequence, problem.Has); err != nil {
			return false, errors.Join(r, err)
		}
	}
	if has >= r.sequence {
		return true, p.Queue.Ack(has)
	}
	if err := p.DeadLetter(r.sequence, problemText(r.err)); err != nil {
		return false, errors.Join(r, err)
	}
	p.Log.Error("event replaced by a dead letter: the hub refuses it but accepts later ones", "sequence", r.sequence, "err", r.err)
	p.refused.times = 0
	return true, nil
}

func sameEpoch(a, b []byte) bool {
	x, _ := event.Peek(a)
	y, _ := event.Peek(b)
	return x.Epoch == y.Epoch
}

// newestOf returns the newest pending event, from a position on, that ends one of the hub's
// branches; 0 without one.
func (p *Pusher) newestOf(from uint64, has []hubapi.Branch) (newest uint64, err error) {
	for after := from - 1; ; {
		records, err := p.Queue.Pending(after, readEvents)
		if err != nil || len(records) == 0 {
			return newest, err
		}
		for _, r := range records {
			if after = r.Sequence; slices.ContainsFunc(has, func(b hubapi.Branch) bool { return bytes.Equal(b.Link, r.Link) }) {
				newest = r.Sequence
			}
		}
	}
}

// problemText returns the text of the hub's problem without the wrapping errors.
func problemText(err error) string {
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok {
		return fmt.Sprintf("%s: %s", problem.Title, problem.Detail)
	}
	return err.Error()
}
