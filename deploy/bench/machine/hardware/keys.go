//go:build linux

package hardware

import "time"

// Keys is a pad that somebody types on.
type Keys interface {
	// Press presses a key and lets it go, with a quick finger.
	Press(key rune) error
}

// How long a quick finger presses a key, and is on its way to the next.
const (
	pressed  = 100 * time.Millisecond
	released = 100 * time.Millisecond
)
