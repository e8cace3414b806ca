//go:build !linux

package keypad

import "errors"

// OpenUSB returns an error: it needs the event devices of Linux.
func OpenUSB(u USB) (*Keypad, error) {
	return nil, errors.New("cannot open number pad: only on Linux")
}
