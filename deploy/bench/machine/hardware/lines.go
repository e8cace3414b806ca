//go:build linux

// Package hardware simulates what is wired to the bench's machine: keypads,
// displays, lamps, a buzzer and a strike. It runs inside the machine and talks
// to the machine's kernel modules (deploy/bench/modules).
package hardware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Change is a change of a GPIO line, as modules/contacts.c reports it.
type Change struct {
	Time   time.Duration // of CLOCK_MONOTONIC
	Line   int           // n of GPIOn, or FirstTone + n for channel n of PWM
	High   bool          // its level; for PWM, whether there is a tone
	Output bool          // whether the line is an output
	Period time.Duration // of PWM
}

// FirstTone is the number of channel 0 of PWM.
const FirstTone = 54

// Lines are the machine's GPIO lines, seen from outside the Pi.
type Lines struct {
	far *os.File

	mu       sync.Mutex
	watchers []func(Change)
	state    map[int]Change
	failure  error // of reading, or of two outputs that a contact joined
}

// changeSize is the size of struct change in modules/contacts.c.
const changeSize = 16

// OpenLines opens the outer end of all lines. Only one program can have it open.
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
			l.failure = errors.Join(l.failure, fmt.Errorf("cannot read changes of GPIO lines: %w", err))
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
				l.failure = errors.Join(l.failure, fmt.Errorf("GPIO%d is an output, and a contact joins it to an output of the other level", c.Line))
			}
			l.state[c.Line] = c
			for _, watch := range l.watchers {
				watch(c)
			}
		}
		l.mu.Unlock()
	}
}

// Watch calls f with the state of some lines, and then with each of their
// changes, in order. f must not call methods of Lines.
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

// Press closes a contact between two lines. It returns when the contact has
// stopped bouncing, after some milliseconds.
func (l *Lines) Press(a, b int) error { return l.command("press %d %d", a, b) }

// Release opens the contact.
func (l *Lines) Release(a, b int) error { return l.command("release %d %d", a, b) }

// Drive drives a line from outside, as a switch to ground does.
func (l *Lines) Drive(line int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	return l.command("drive %d %d", line, level)
}

// Leave stops driving the line.
func (l *Lines) Leave(line int) error { return l.command("leave %d", line) }

func (l *Lines) command(format string, args ...any) error {
	_, err := fmt.Fprintf(l.far, format, args...)
	return err
}

// Close closes the outer end. Contacts and driven lines stay as they are.
func (l *Lines) Close() error { return l.far.Close() }

// Err returns what went wrong with the lines.
func (l *Lines) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}
