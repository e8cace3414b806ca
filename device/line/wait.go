package line

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// The time-outs that Wait hands to WaitForEdge. Neither zero nor a negative one
// means the same to every driver.
const (
	minWait = time.Millisecond
	maxWait = time.Minute
)

// hasty is how many times in a row a wait may end early before the line counts
// as lost: a signal, or a Halt from elsewhere, ends one.
const hasty = 3

// retry parts the waits that end early, so that a lost line costs nothing.
const retry = 10 * time.Millisecond

// Wait waits for an edge on a line that In was told to watch, at most for d,
// which is brought to between 1 ms and 1 min. It answers false when there was
// none, and ErrLost when waiting does not work any more. It does not say which
// edge it was. After ctx has ended it returns within d.
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
