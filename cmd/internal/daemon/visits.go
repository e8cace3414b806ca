package daemon

import (
	"context"
	"sync"
)

// visits knows whether a visit is in progress. Work that would make a person wait
// for the disk or the hub is done between visits.
type visits struct {
	mu    sync.Mutex
	quiet context.Context // ends when a visit begins; nil during a visit
	begin context.CancelFunc

	ended chan struct{} // a visit has ended since the last receive
}

func newVisits() *visits {
	v := &visits{ended: make(chan struct{}, 1)}
	v.quiet, v.begin = context.WithCancel(context.Background())
	return v
}

// set records that a visit begins or has ended (terminal.Terminal.InProgress).
func (v *visits) set(inProgress bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case inProgress:
		v.begin()
		v.quiet = nil
	case v.quiet == nil:
		v.quiet, v.begin = context.WithCancel(context.Background())
		select {
		case v.ended <- struct{}{}:
		default:
		}
	}
}

// idle returns a context that ends when the next visit begins, and false during a
// visit.
func (v *visits) idle() (context.Context, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.quiet, v.quiet != nil
}

// busy reports whether a visit is in progress.
func (v *visits) busy() bool {
	_, idle := v.idle()
	return !idle
}
