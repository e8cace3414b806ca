package push

import (
	"context"
	"errors"

	"smartkiosk/kiosk/protocol/hubapi"
)

// isConflict tells whether the first event of a batch is or follows another than
// the hub's.
func isConflict(err error) bool {
	problem, ok := errors.AsType[*hubapi.Problem](err)
	return ok && problem.Type == hubapi.KindConflict && problem.Event != nil && *problem.Event == 0
}

// sayBefore hands the event before first to the hub again, which has acknowledged
// it. A part of the disk may have been lost since, and then there is an event in
// its place that says so: what comes after may link to that, and the hub, which has
// not heard of it, finds it of another chain.
func (p *Pusher) sayBefore(ctx context.Context, first uint64) error {
	if first == 1 {
		return errNone
	}
	before, err := p.Queue.Records(first-2, 1)
	if err != nil {
		return err
	}
	if len(before) == 0 || before[0].Sequence != first-1 {
		return errNone
	}
	_, err = p.sendOne(ctx, before[0].Data)
	return err
}

var errNone = errors.New("there is no event before")
