package cue

import (
	"errors"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/line"
)

// Output is a line that switches something on and off through a transistor or a
// relay board.
type Output struct {
	Pin       gpio.PinOut
	ActiveLow bool // on is low, as on most relay boards with optocouplers
}

// Set switches the output on or off. Its errors name the line (see line.Claim).
//
// Through periph's gpioioctl, Linux first makes a line a low output and then sets
// its level. So the first Set of a line that is active low switches it on for
// some microseconds. A lamp or a relay does not follow; a triac may.
func (o Output) Set(on bool) error {
	return line.Claim(o.Pin, o.Pin.Out(gpio.Level(on != o.ActiveLow)))
}

// Lamps are three lights. A lamp whose Pin is nil is not fitted.
type Lamps struct{ Green, Yellow, Red Output }

// Open takes the lines and switches all lamps off.
func (l Lamps) Open() error { return l.Show(false, false, false) }

// Show switches each lamp on or off. It tries every lamp and returns all errors.
func (l Lamps) Show(green, yellow, red bool) error {
	var failed []error
	for _, lamp := range []struct {
		Output
		on bool
	}{{l.Green, green}, {l.Yellow, yellow}, {l.Red, red}} {
		if lamp.Pin != nil {
			failed = append(failed, lamp.Set(lamp.on))
		}
	}
	return errors.Join(failed...)
}
