//go:build linux

package hardware

import (
	"sync"
	"time"
)

// Signal is what a line switches: a lamp, a buzzer, a strike.
type Signal struct {
	mu      sync.Mutex
	on      bool
	times   []Interval
	changed chan struct{}
}

// Interval is a time during which a signal was on, by CLOCK_MONOTONIC.
type Interval struct {
	From, To time.Duration
	Hertz    int // pitch of a tone; 0 when it is not known
}

// WireSignal wires a signal that is on while its line is high, or, with
// activeLow, while it is low.
func (l *Lines) WireSignal(line int, activeLow bool) *Signal {
	s := &Signal{changed: make(chan struct{})}
	l.Watch(func(c Change) { s.set(c.High != activeLow, c) }, line)
	return s
}

func (s *Signal) set(on bool, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hertz := 0
	if on && c.Period > 0 {
		hertz = int((time.Second + c.Period/2) / c.Period)
	}
	if on == s.on && (!on || hertz == s.times[len(s.times)-1].Hertz) {
		return
	}
	if s.on {
		s.times[len(s.times)-1].To = c.Time
	}
	if s.on = on; on {
		s.times = append(s.times, Interval{From: c.Time, Hertz: hertz})
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// On reports whether the signal is on.
func (s *Signal) On() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on
}

// Times lists when the signal was on. While it is on, the last To is 0.
func (s *Signal) Times() []Interval {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Interval(nil), s.times...)
}

// Changed returns a channel that is closed at the signal's next change.
func (s *Signal) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}
