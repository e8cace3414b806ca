package frontpanel

import (
	"context"
	"time"

	"smartkiosk/device/line"
)

const (
	// doorCheckInterval is how often a shut door is shut again. This finds a guardian
	// or a line that fails before a visitor is told to come in.
	doorCheckInterval = 30 * time.Second
	// maxRequestAge is how old a request to open may be. When a door that failed
	// works again, the visitor of an older request has gone.
	maxRequestAge = 2 * time.Second
)

// strike is what door needs of a cue.Strike.
type strike interface {
	Open(time.Duration) error
	Shut() error
	Errors() <-chan error
	Close() error
}

// door opens the strike on request.
type door struct {
	openFor  time.Duration
	requests chan time.Time // each with its time
}

func newDoor(openFor time.Duration) *door { return &door{openFor, make(chan time.Time, 1)} }

func (d *door) open() { replace(d.requests, time.Now()) }

// run owns the strike until ctx ends, and then shuts it.
func (d *door) run(ctx context.Context, open func() (strike, error), part *part) {
	s, ok := openWithRetry(ctx, part.setError, open)
	if !ok {
		return
	}
	defer s.Close()
	check := time.NewTicker(doorCheckInterval)
	defer check.Stop()
	var shut time.Time // when the strike shuts by itself
	for {
		var err error
		select {
		case at := <-d.requests:
			if time.Since(at) < maxRequestAge {
				err = s.Open(d.openFor)
				shut = time.Now().Add(d.openFor)
			}
		case err = <-s.Errors():
		case <-check.C:
			if time.Now().After(shut) {
				err = s.Shut()
			}
		case <-ctx.Done():
			return
		}
		if err != nil && !recoverStrike(ctx, s, part, err) {
			return
		}
	}
}

// recoverStrike shuts a strike that failed with err, and retries until that succeeds
// or ctx ends. It reports whether it succeeded.
func recoverStrike(ctx context.Context, s strike, part *part, err error) bool {
	for err != nil {
		part.setError(err)
		if !line.Sleep(ctx, reopenDelay) {
			return false
		}
		err = s.Shut()
	}
	part.setError(nil)
	return true
}
