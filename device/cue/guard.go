package cue

import (
	"errors"
	"time"
)

// setAgain is the time between two attempts to shut a line.
const setAgain = 50 * time.Millisecond

// restFor is how long the line is off between two openings that together would exceed
// the limit.
const restFor = 200 * time.Millisecond

// lastTries is the number of attempts to shut before the guardian ends. When it
// ends, the kernel gets the line back.
const lastTries = 20

// guard holds a strike's line for a parent that may die. Each command is a time
// to open for, counted from when the line is on; a command of 0 or less shuts.
// The line is on for at most limit at a time. If a command would need more, because the
// line is on already, guard first shuts the line for a moment, so that a second person
// gets the full time. guard shuts the line when it starts. It shuts it again and returns when commands is
// closed, which means that the parent is dead, or when stop is closed or sends.
func guard(commands <-chan time.Duration, reply func(error), stop <-chan struct{}, set func(open bool) error, limit time.Duration) error {
	timer := time.NewTimer(limit) // shut stops it at once
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
			if !opened.IsZero() && limit-time.Since(opened) < min(d, limit) {
				if err := shut(); err != nil {
					reply(err)
					continue
				}
				time.Sleep(restFor)
			}
			if opened.IsZero() {
				opened = time.Now()
			}
			if err := set(true); err != nil {
				reply(errors.Join(err, shut()))
				continue
			}
			timer.Reset(min(d, limit-time.Since(opened)))
			reply(nil)
		case <-timer.C:
			_ = shut() // retried until it works; no caller waits for the answer
		case <-stop:
			return last()
		}
	}
}
