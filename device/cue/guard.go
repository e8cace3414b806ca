package cue

import (
	"errors"
	"time"
)

// setAgain is how soon a line that could not be shut is tried again.
const setAgain = 50 * time.Millisecond

// lastTries is how often that is done before the guardian gives up and ends,
// when ending gives the line back to the kernel.
const lastTries = 20

// guard holds a strike's line for somebody who may die. Each command is how
// long to open for, from when the line is on; 0 or less shuts. It is open for
// limit at most, however often it is told to open again. When commands is closed (that somebody is dead) or
// stop gives anything, it shuts and returns. It begins by shutting.
func guard(commands <-chan time.Duration, reply func(error), stop <-chan struct{}, set func(open bool) error, limit time.Duration) error {
	timer := time.NewTimer(limit) // stopped at once, by shut
	defer timer.Stop()
	var opened time.Time
	shut := func() error {
		opened = time.Time{}
		err := set(false)
		if err != nil {
			timer.Reset(setAgain)
		} else {
			timer.Stop()
		}
		return err
	}
	last := func() (err error) {
		for range lastTries {
			if err = set(false); err == nil {
				return nil
			}
			time.Sleep(setAgain)
		}
		return err
	}
	reply(shut())
	for {
		select {
		case d, alive := <-commands:
			if !alive {
				return last()
			}
			if d <= 0 {
				reply(shut())
				continue
			}
			if opened.IsZero() {
				opened = time.Now()
			}
			if time.Since(opened) >= limit {
				reply(errors.Join(errors.New("it has been open for its longest time"), shut()))
				continue
			}
			if err := set(true); err != nil {
				reply(errors.Join(err, shut()))
				continue
			}
			timer.Reset(min(d, limit-time.Since(opened)))
			reply(nil)
		case <-timer.C:
			_ = shut() // tried again until it works; nobody waits for an answer
		case <-stop:
			return last()
		}
	}
}
