//go:build linux

package hardware

import "time"

// Keys is a keypad that a person types on.
type Keys interface {
	// Press presses a key and releases it, as a quick finger does.
	Press(key rune) error
}

// How long a quick finger holds a key, and how long it takes to the next.
const (
	pressed  = 60 * time.Millisecond
	released = 60 * time.Millisecond
)
