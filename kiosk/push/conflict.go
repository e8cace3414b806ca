package push

import (
	"context"
	"errors"

	"smartkiosk/kiosk/protocol/hubapi"
)

// isConflict reports whether the hub has a different event in place of the first
// event of the batch, or in place of the previous one.
func isConflict(err error) bool {
	problem, ok := errors.AsType[*hubapi.Problem](err)
	return ok && problem.Type == hubapi.KindConflict && problem.Event != nil && *problem.Event == 0
}

// resendPrevious sends the event before first again, although the hub has
// acknowledged it. If the kiosk has since lost a part of its disk, a lost event
// has replaced it. The next event may link to the replacement, and the hub reports
// a conflict until it has received the replacement.
func (p *Pusher) resendPrevious(ctx context.Context, first uint64) error {
	if first == 1 {
		return errNoPrevious
	}
	before, err := p.Queue.Records(first-2, 1)
	if err != nil {
		return err
	}
	if len(before) == 0 || before[0].Sequence != first-1 {
		return errNoPrevious
	}
	_, err = p.sendOne(ctx, before[0].Data)
	return err
}

var errNoPrevious = errors.New("there is no previous event")
