package daemon

import (
	"context"
	"sync"
	"time"
)

// visits knows whether a visit is in progress. Work that would make a person wait
// for the disk or the hub is done between visits.
type visits struct {
	mu    sync.Mutex
	quiet context.Context // ends when a visit begins; nil during a visit
	begin context.CancelFunc

	ended chan struct{} // a visit has ended since the last receive
	over  chan struct{} // closed when the present visit ends; nil before the first visit
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
		v.quiet, v.over = nil, make(chan struct{})
	case v.quiet == nil:
		v.quiet, v.begin = context.WithCancel(context.Background())
		close(v.over)
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

// endsWithin waits until no visit is in progress, at most for limit. It reports whether
// that is so.
func (v *visits) endsWithin(ctx context.Context, limit time.Duration) bool {
	v.mu.Lock()
	idle, over := v.quiet != nil, v.over
	v.mu.Unlock()
	if idle {
		return true
	}
	patience := time.NewTimer(limit)
	defer patience.Stop()
	select {
	case <-over:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}
