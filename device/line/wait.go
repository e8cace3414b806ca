package line

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// The timeouts that Wait passes to WaitForEdge. Drivers disagree on the meaning
// of zero and of negative timeouts.
const (
	minWait = time.Millisecond
	maxWait = time.Minute
)

// hasty is the number of waits in a row that may end early before the line counts
// as lost. A signal, or a Halt by other code, also ends a wait early.
const hasty = 3

// retry is the pause after a wait that ended early, so that a lost line costs no
// processor time.
const retry = 10 * time.Millisecond

// Wait waits for an edge on a line that In has configured for edges. It waits for
// at most d, which it limits to between 1 ms and 1 min. It returns false if there
// was no edge, and ErrLost if waiting no longer works. It does not report whether
// the edge was rising or falling. After ctx has ended it returns within d.
func Wait(ctx context.Context, pin gpio.PinIn, d time.Duration) (edge bool, err error) {
	d = min(max(d, minWait), maxWait)
	for range hasty {
		start := time.Now()
		if pin.WaitForEdge(d) {
			return true, nil
		}
		if time.Since(start) >= d/2 || ctx.Err() != nil {
			return false, nil
		}
		if !Sleep(ctx, min(retry, d)) {
			return false, nil
		}
	}
	return false, fmt.Errorf("cannot wait for an edge of pin %s: each wait ends at once: %w", pin.Name(), ErrLost)
}
