package frontpanel

import (
	"context"
	"time"

	"smartkiosk/device/line"
)

const (
	// tryDoor is how often a door that is shut is told to shut: a guardian or
	// a line that fails is found before somebody is told to come in.
	tryDoor = 30 * time.Second
	// tooLate is how old a wish to open may be: whoever it was for is not
	// there any more when a door that failed works again.
	tooLate = 2 * time.Second
)

// strike is a cue.Strike.
type strike interface {
	Open(time.Duration) error
	Shut() error
	Errors() <-chan error
	Close() error
}

// door opens the strike when it is told to.
type door struct {
	openFor time.Duration
	wishes  chan time.Time // when it was told
}

func newDoor(openFor time.Duration) *door { return &door{openFor, make(chan time.Time, 1)} }

func (d *door) open() { replace(d.wishes, time.Now()) }

// run holds the strike until ctx ends, when it is shut.
func (d *door) run(ctx context.Context, open func() (strike, error), part *part) {
	s, ok := opened(ctx, part.is, open)
	if !ok {
		return
	}
	defer s.Close()
	try := time.NewTicker(tryDoor)
	defer try.Stop()
	var shut time.Time // when it is
	for {
		var err error
		select {
		case at := <-d.wishes:
			if time.Since(at) < tooLate {
				err = s.Open(d.openFor)
				shut = time.Now().Add(d.openFor)
			}
		case err = <-s.Errors():
		case <-try.C:
			if time.Now().After(shut) {
				err = s.Shut()
			}
		case <-ctx.Done():
			return
		}
		if err != nil && !regain(ctx, s, part, err) {
			return
		}
	}
}

// regain waits until a strike that failed can be shut again.
func regain(ctx context.Context, s strike, part *part, err error) bool {
	for err != nil {
		part.is(err)
		if !line.Sleep(ctx, again) {
			return false
		}
		err = s.Shut()
	}
	part.is(nil)
	return true
}
