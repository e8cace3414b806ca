package displaysim

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// Target is a part on a simulated I²C bus.
type Target interface {
	// Message handles a write. It calls acknowledged after each byte, so that
	// the bus advances its clock.
	Message(w []byte, acknowledged func())
	// Status returns the byte that a read returns.
	Status() byte
}

// I2C is a bus with one part. It counts the bits on the bus and advances its clock
// by their time.
type I2C struct {
	Address uint16
	Target  Target
	Hertz   int // 100000 for a PCF8574, up to 400000 for an OLED controller
	Clock   *Clock

	mu       sync.Mutex
	Bits     int // 9 for each byte, and 2 for the start and the stop of each message
	Messages int
	absent   bool
}

var errNoAck = errors.New("no acknowledge")

// String names the bus.
func (b *I2C) String() string { return fmt.Sprintf("simulated I2C of %d Hz", b.Hertz) }

// SetSpeed does nothing: the test chooses the speed.
func (b *I2C) SetSpeed(physic.Frequency) error { return nil }

// Unplug removes the part from the bus.
func (b *I2C) Unplug() { b.Between(func() { b.absent = true }) }

// Plug puts the part back on the bus.
func (b *I2C) Plug() { b.Between(func() { b.absent = false }) }

// Between calls f between two messages.
func (b *I2C) Between(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// Tx implements i2c.Bus.
func (b *I2C) Tx(address uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Messages++
	b.pass(2)
	b.pass(9)
	if b.absent || address != b.Address {
		return errNoAck
	}
	if len(w) > 0 {
		b.Target.Message(w, func() { b.pass(9) })
	}
	for i := range r {
		b.pass(9)
		r[i] = b.Target.Status()
	}
	return nil
}

func (b *I2C) pass(bits int) {
	b.Bits += bits
	b.Clock.Wait(time.Duration(bits) * time.Second / time.Duration(b.Hertz))
}

var _ i2c.Bus = (*I2C)(nil)

// Expander is a PCF8574 that is soldered to an HD44780.
type Expander struct {
	LCD *HD44780
	// Pins are the terminals of P0 to P7: rs, rw, e, light, d4 to d7 or "-". The
	// light is on while its pin is high, or low if LightLow is set.
	Pins     []string
	LightLow bool

	pins byte
}

// NewExpander returns an expander with the most common wiring that was just powered
// on: all pins are high.
func NewExpander(lcd *HD44780) *Expander {
	return &Expander{LCD: lcd, Pins: []string{"rs", "rw", "e", "light", "d4", "d5", "d6", "d7"}, pins: 0xff}
}

// high reports whether a terminal is high. A terminal without a pin is grounded.
func (x *Expander) high(pins byte, terminal string) bool {
	pin := slices.Index(x.Pins, terminal)
	return pin >= 0 && pins>>pin&1 == 1
}

// Message implements [Target]. Each byte sets the pins when it is acknowledged.
func (x *Expander) Message(w []byte, acknowledged func()) {
	for _, pins := range w {
		acknowledged()
		old := x.pins
		if x.high(pins, "e") && !x.high(old, "e") && x.high(old, "rs") != x.high(pins, "rs") {
			x.LCD.Faults = append(x.LCD.Faults, "RS changed together with E")
		}
		x.pins = pins
		if x.high(pins, "rw") {
			continue
		}
		var data byte
		for i, terminal := range []string{"d4", "d5", "d6", "d7"} {
			if x.high(pins, terminal) {
				data |= 1 << i
			}
		}
		x.LCD.Pins(x.high(pins, "rs"), x.high(pins, "e"), data)
	}
}

// Status implements [Target].
func (x *Expander) Status() byte { return x.pins }

// Light reports whether the backlight is on.
func (x *Expander) Light() bool { return x.high(x.pins, "light") != x.LightLow }

// PowerCycle switches the power of the expander and the module off and on.
func (x *Expander) PowerCycle() {
	x.pins = 0xff
	x.LCD.PowerCycle()
}

// Wires is an HD44780 on six pins, each a gpiotest.Pin.
type Wires struct {
	LCD *HD44780
	rs  bool
	e   bool
	d   byte
}

// Pin returns one of the six lines: RS, E, D4, D5, D6 or D7.
func (w *Wires) Pin(name string) gpio.PinOut {
	return &wire{Pin: gpiotest.Pin{N: name}, w: w}
}

// PullUp makes all six lines high, as a Pi's pull-ups do before a driver sets
// any of them.
func (w *Wires) PullUp() {
	w.rs, w.e, w.d = true, true, 0xf
	w.LCD.Pins(w.rs, w.e, w.d)
}

type wire struct {
	gpiotest.Pin
	w *Wires
}

// Out sets the pin.
func (p *wire) Out(l gpio.Level) error {
	if err := p.Pin.Out(l); err != nil {
		return err
	}
	w, high := p.w, bool(l)
	switch p.N {
	case "RS":
		w.rs = high
	case "E":
		w.e = high
	default:
		bit := byte(1) << (p.N[1] - '4')
		w.d &^= bit
		if high {
			w.d |= bit
		}
	}
	w.LCD.Pins(w.rs, w.e, w.d)
	return nil
}
