package push

import (
	"context"
	"errors"
	"fmt"

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
//   - If the hub refuses the newest event too, for example because it lacks a key
//     or the kiosk's certificate has changed, the fault is the hub's and nothing
//     becomes a dead letter.
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
	has, err := p.sendOne(ctx, behind[0].Data)
	problem, _ := errors.AsType[*hubapi.Problem](err)
	switch {
	case err == nil: // the hub has every event
	case problem == nil || problem.Type != hubapi.KindGap || problem.Wanted < r.sequence:
		return false, r
	default:
		has = problem.Wanted - 1
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

// problemText returns the text of the hub's problem without the wrapping errors.
func problemText(err error) string {
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok {
		return fmt.Sprintf("%s: %s", problem.Title, problem.Detail)
	}
	return err.Error()
}
