package frontpanel

import (
	"context"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
)

// tryDoor is how often a door that is shut is told to shut: a guardian or a
// line that fails is found before somebody is told to come in.
const tryDoor = 30 * time.Second

// door opens the strike when it is told to.
type door struct {
	openFor  time.Duration
	openings chan struct{}
}

func newDoor(openFor time.Duration) *door { return &door{openFor, make(chan struct{}, 1)} }

func (d *door) open() { replace(d.openings, struct{}{}) }

// run holds the strike until ctx ends, when it is shut.
func (d *door) run(ctx context.Context, section *board.Strike, part *part) {
	strike, ok := opened(ctx, part.is, section.Open)
	if !ok {
		return
	}
	defer strike.Close()
	try := time.NewTicker(tryDoor)
	defer try.Stop()
	var shut time.Time // when it was to be
	for {
		var err error
		select {
		case <-d.openings:
			shut = time.Now().Add(d.openFor)
			err = strike.Open(d.openFor)
		case err = <-strike.Errors():
		case <-try.C:
			if time.Now().After(shut) {
				err = strike.Shut()
			}
		case <-ctx.Done():
			return
		}
		if err != nil && !regain(ctx, strike, part, err) {
			return
		}
	}
}

// regain waits until a strike that failed can be shut again.
func regain(ctx context.Context, strike *cue.Strike, part *part, err error) bool {
	for err != nil {
		part.is(err)
		if !pause(ctx, again) {
			return false
		}
		err = strike.Shut()
	}
	part.is(nil)
	return true
}
