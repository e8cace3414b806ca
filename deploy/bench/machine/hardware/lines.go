//go:build linux

// Package hardware is what is wired to the bench's machine, as programs: keys,
// displays, a number pad, a reader, and what lamps and strike are seen to do.
// It works inside the machine, at the far ends of its modules.
package hardware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Change is a change of a GPIO line, as modules/contacts.c tells of it.
type Change struct {
	Time   time.Duration // of CLOCK_MONOTONIC
	Line   int           // n of GPIOn, or FirstTone + n for channel n of PWM
	High   bool          // its level; that something is heard
	Output bool          // whether it is an output
	Period time.Duration // of the tone
}

// FirstTone is the number of channel 0 of PWM.
const FirstTone = 54

// Lines are the machine's GPIO lines, seen from outside.
type Lines struct {
	far *os.File

	mu       sync.Mutex
	watchers []func(Change)
	state    map[int]Change
	failure  error // of reading, or two outputs that were joined
}

// changeSize is that of struct change in modules/contacts.c.
const changeSize = 16

// OpenLines takes the far end of all lines.
func OpenLines() (*Lines, error) {
	far, err := os.OpenFile("/dev/contacts", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	l := &Lines{far: far, state: map[int]Change{}}
	go l.read()
	return l, nil
}

func (l *Lines) read() {
	buffer := make([]byte, changeSize*256)
	for {
		n, err := l.far.Read(buffer)
		l.mu.Lock()
		if errors.Is(err, os.ErrClosed) {
			l.mu.Unlock()
			return
		}
		if err != nil {
			l.failure = errors.Join(l.failure, fmt.Errorf("cannot follow GPIO lines: %w", err))
			l.mu.Unlock()
			return
		}
		for b := buffer[:n]; len(b) >= changeSize; b = b[changeSize:] {
			c := Change{
				Time: time.Duration(binary.NativeEndian.Uint64(b)),
				Line: int(b[8]), High: b[9] != 0, Output: b[10] != 0,
				Period: time.Duration(binary.NativeEndian.Uint32(b[12:])),
			}
			if b[11] != 0 {
				l.failure = errors.Join(l.failure, fmt.Errorf("GPIO%d is an output joined to another of another level", c.Line))
			}
			l.state[c.Line] = c
			for _, watch := range l.watchers {
				watch(c)
			}
		}
		l.mu.Unlock()
	}
}

// Watch has f told of every change of some lines, in order, until f's user has
// no use for them any more; and first of their state. f must not use Lines.
func (l *Lines) Watch(f func(Change), lines ...int) {
	wanted := map[int]bool{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range lines {
		wanted[line] = true
		if c, known := l.state[line]; known {
			f(c)
		}
	}
	l.watchers = append(l.watchers, func(c Change) {
		if wanted[c.Line] {
			f(c)
		}
	})
}

// Press closes a contact between two lines, which bounces for some ms.
func (l *Lines) Press(a, b int) error { return l.tell("press %d %d", a, b) }

// Release opens it.
func (l *Lines) Release(a, b int) error { return l.tell("release %d %d", a, b) }

// Drive has something outside drive a line, as a switch to ground does.
func (l *Lines) Drive(line int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	return l.tell("drive %d %d", line, level)
}

// Leave ends Drive.
func (l *Lines) Leave(line int) error { return l.tell("leave %d", line) }

func (l *Lines) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(l.far, format, args...)
	return err
}

// Close gives the far end back. Contacts and what drives lines stay.
func (l *Lines) Close() error { return l.far.Close() }

// Err is what went wrong with the lines, nil for nothing.
func (l *Lines) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}
