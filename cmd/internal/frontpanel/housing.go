package frontpanel

import (
	"context"
	"errors"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
)

// errOpen is the error of a housing that is open or whose switch cannot be read.
var errOpen = errors.New("the housing is not closed")

// watchHousing reports the state of the housing's switch until ctx ends. It reports
// an opening at once, and a closing only when the housing stays closed. So a loose
// wire cannot fill the outbox, which would take the kiosk out of service.
func watchHousing(ctx context.Context, section *board.Tamper, part *part) {
	tamper, ok := openWithRetry(ctx, part.setError, section.Open)
	if !ok {
		return
	}
	defer tamper.Close()
	var closed condition
	var state cue.TamperState
	for {
		timer := time.NewTimer(closed.untilDue(time.Now()))
		select {
		case state = <-tamper.States():
			var err error
			if state != cue.Unopened {
				err = errOpen
			}
			closed.update(err, time.Now())
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		switch closed.next(time.Now()) {
		case Found:
			part.report(Report{State: Unopened})
		case Lost:
			part.report(Report{State: State(state.String())})
		}
	}
}
