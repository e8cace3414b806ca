package frontpanel

import (
	"context"
	"errors"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
)

// errOpen is what a housing fails by that is not known to be closed.
var errOpen = errors.New("the housing is not closed")

// watchHousing reports what the switch of the housing says, until ctx ends. An
// opening is told at once; that it is closed, only when it stays so: a loose
// wire must not fill the outbox, which would shut the kiosk.
func watchHousing(ctx context.Context, section *board.Tamper, part *part) {
	tamper, ok := opened(ctx, part.is, section.Open)
	if !ok {
		return
	}
	defer tamper.Close()
	var closed condition
	var said cue.TamperState
	for {
		timer := time.NewTimer(closed.in(time.Now()))
		select {
		case said = <-tamper.States():
			var err error
			if said != cue.Unopened {
				err = errOpen
			}
			closed.is(err, time.Now())
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		switch closed.look(time.Now()) {
		case Found:
			part.tell(Report{State: Unopened})
		case Lost:
			part.tell(Report{State: State(said.String())})
		}
	}
}
