package cue

import (
	"errors"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/line"
)

// Output is a line that switches something on and off, by way of a transistor
// or a relay board.
type Output struct {
	Pin       gpio.PinOut
	ActiveLow bool // on is low, as on most relay boards with optocouplers
}

// Set switches. Its errors name the line (see line.Claim).
//
// Linux makes a line an output low before it is given its level, by way of
// periph's gpioioctl: the first Set of a line that is active low switches on
// for some microseconds. A lamp or a relay does not follow; a triac may.
func (o Output) Set(on bool) error {
	return line.Claim(o.Pin, o.Pin.Out(gpio.Level(on != o.ActiveLow)))
}

// Lamps are three lights. One whose pin is nil is not there.
type Lamps struct{ Green, Yellow, Red Output }

// Open takes the lines and switches all off.
func (l Lamps) Open() error { return l.Show(false, false, false) }

// Show lights some lamps and puts out the others. It tries them all, and
// returns every error.
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
