package push

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/kiosk/protocol/hubapi"
)

// parkAfter is how often an event is refused before it is parked. It is more
// than once because a hub may be at fault for a moment.
const parkAfter = 3

// refusedAgain deals with an event that was refused often enough. The newest
// event tells why: when the hub would take that, but for the gap, the refused
// one is poison, and is parked. When the hub has gone on behind it, it has it
// from before: a restart forgot the acknowledgement, and the hub by now has
// retired the key that the event is sealed to. A hub that does not take the
// newest either, because it lacks a key or because the kiosk's certificate was
// changed, is no reason to park them all. Where nothing is behind it nothing
// waits for it.
func (p *Pusher) refusedAgain(ctx context.Context, r *refusal) (progress bool, err error) {
	if p.refused.sequence != r.sequence {
		p.refused.sequence, p.refused.times = r.sequence, 0
	}
	if p.refused.times++; p.refused.times < parkAfter {
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
	case err == nil: // all of it
	case problem == nil || problem.Type != hubapi.KindGap || problem.Wanted < r.sequence:
		return false, r
	default:
		has = problem.Wanted - 1
	}
	if has >= r.sequence {
		return true, p.Queue.Ack(has)
	}
	if err := p.Park(r.sequence, problemText(r.err)); err != nil {
		return false, errors.Join(r, err)
	}
	p.Log.Error("event parked: the hub does not take it, but later ones", "sequence", r.sequence, "err", r.err)
	p.refused.times = 0
	return true, nil
}

// problemText is what the hub said, without how it came here.
func problemText(err error) string {
	if problem, ok := errors.AsType[*hubapi.Problem](err); ok {
		return fmt.Sprintf("%s: %s", problem.Title, problem.Detail)
	}
	return err.Error()
}
