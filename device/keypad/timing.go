package keypad

import (
	"errors"
	"sync"
	"time"
)

// Timing adjusts a keypad to people whose hands shake or move slowly (EN 301 549,
// clauses 5.7 and 5.8). The zero value switches everything off.
type Timing struct {
	// DoubleStrike is the time after a key in which the same key does not count
	// again.
	DoubleStrike time.Duration
	// RepeatAfter is how long * must be held before it counts again, and
	// RepeatEvery the time between further repeats. No other key repeats: a
	// digit that is held counts once.
	RepeatAfter, RepeatEvery time.Duration
}

func (t Timing) check() error {
	if t.DoubleStrike < 0 || t.RepeatAfter < 0 || t.RepeatEvery < 0 {
		return errors.New("a time is negative")
	}
	if (t.RepeatAfter == 0) != (t.RepeatEvery == 0) {
		return errors.New("a repeat needs both a delay and an interval")
	}
	return nil
}

// doubleZero is the longest time between the two zeros of a 00 key. A person
// presses no key twice in so short a time, so the double-strike guard lets them
// pass.
const doubleZero = 40 * time.Millisecond

// strikes applies a Timing to the keys of one keypad.
type strikes struct {
	Timing
	mu     sync.Mutex
	last   rune
	at     time.Time // of last
	held   bool      // * is down and repeats
	repeat *time.Timer
}

// press reports whether a key counts that goes down now. It starts the repeat of
// *, which calls again.
func (s *strikes) press(key rune, again func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := time.Since(s.at)
	if key == s.last && since < s.DoubleStrike && (key != '0' || since > doubleZero) {
		return false
	}
	s.last, s.at = key, time.Now()
	if key == '*' && s.RepeatAfter > 0 && !s.held {
		s.held = true
		s.repeat = time.AfterFunc(s.RepeatAfter, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.held {
				again()
				s.repeat.Reset(s.RepeatEvery)
			}
		})
	}
	return true
}

// release ends the repeat when * goes up.
func (s *strikes) release(key rune) {
	if key != '*' {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		s.held = false
		s.repeat.Stop()
	}
}
