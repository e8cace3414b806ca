//go:build !linux

package keypad

import "errors"

// OpenUSB needs Linux's event devices.
func OpenUSB(u USB) (*Keypad, error) {
	return nil, errors.New("cannot open number pad: only on Linux")
}
