package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"smartkiosk/kiosk/hubapi"
)

// parkAfter is how often an event is refused before it is parked. It is more
// than once because a hub may be at fault for a moment.
const parkAfter = 3

// refusedAgain parks an event that was refused often enough, if it alone is:
// when the hub says that it would take the event behind it, but for the gap.
// A hub that takes none of them, because it lacks a key or because the kiosk's
// certificate was changed, is no reason to park them all. Where nothing is
// behind it nothing waits for it.
func (p *Pusher) refusedAgain(ctx context.Context, r *refusal) (parked bool, err error) {
	if p.refused.sequence != r.sequence {
		p.refused.sequence, p.refused.times = r.sequence, 0
	}
	if p.refused.times++; p.refused.times < parkAfter {
		return false, r
	}
	behind, err := p.Queue.Pending(r.sequence, 1)
	if err != nil || len(behind) == 0 {
		return false, errors.Join(r, err)
	}
	trying, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	_, err = p.Send(trying, []json.RawMessage{behind[0].Data})
	problem, ok := errors.AsType[*hubapi.Problem](err)
	if !ok || problem.Type != hubapi.KindGap || problem.Wanted != r.sequence {
		return false, r
	}
	if err := p.Park(r.sequence, problemText(r.err)); err != nil {
		return false, errors.Join(r, err)
	}
	p.Log.Error("event parked: the hub does not take it, but those after it", "sequence", r.sequence, "err", r.err)
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
