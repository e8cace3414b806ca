package hd44780

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/display"
)

// Pins are the six lines of a module in 4-bit operation. R/W is wired to
// ground, so the module can be told but not asked.
type Pins struct {
	RS, E gpio.PinOut
	D     [4]gpio.PinOut // D4 to D7
}

// GPIO is a bus of six pins.
type GPIO struct {
	pins   Pins
	wait   func(time.Duration)
	levels map[gpio.PinOut]gpio.Level
}

// owners has the GPIO that was made last for each pin. One whose user does not
// wait for it any more (display.Keeper) may still be at work: were two at it,
// the module would lose count of its nibbles, which nobody notices.
var owners sync.Map

var errTakenOver = errors.New("another driver has taken the pin over")

// pulse is how long E is high and low again: 450 and 550 ns at 2.7 V (datasheet,
// "AC characteristics", write operation).
const pulse = time.Microsecond

// NewGPIO takes the pins and what waits: [Pause] but in tests.
func NewGPIO(pins Pins, wait func(time.Duration)) (*GPIO, error) {
	seen := map[string]bool{}
	for _, p := range append([]gpio.PinOut{pins.RS, pins.E}, pins.D[:]...) {
		if p == nil || p == gpio.INVALID {
			return nil, errors.New("the display's pins RS, E and D4 to D7 must all be named")
		}
		if seen[p.Name()] {
			return nil, fmt.Errorf("pin %s has two tasks at the display", p.Name())
		}
		seen[p.Name()] = true
	}
	g := &GPIO{pins, wait, map[gpio.PinOut]gpio.Level{}}
	for _, p := range g.all() {
		owners.Store(p, g)
	}
	return g, nil
}

func (g *GPIO) all() []gpio.PinOut { return append([]gpio.PinOut{g.pins.RS, g.pins.E}, g.pins.D[:]...) }

// Pause waits: for the microseconds of an instruction by looking at the clock,
// because a sleep takes some 60 µs longer than it was asked to, and otherwise
// asleep.
func Pause(d time.Duration) {
	if d > 200*time.Microsecond {
		time.Sleep(d)
		return
	}
	for start := time.Now(); time.Since(start) < d; {
	}
}

// String names the pins.
func (g *GPIO) String() string {
	return fmt.Sprintf("GPIO(RS %s, E %s, D4-D7 %s %s %s %s)", g.pins.RS.Name(), g.pins.E.Name(),
		g.pins.D[0].Name(), g.pins.D[1].Name(), g.pins.D[2].Name(), g.pins.D[3].Name())
}

// Nibble implements [Bus].
func (g *GPIO) Nibble(n byte) error { return g.clock(gpio.Low, n) }

// Byte implements [Bus].
func (g *GPIO) Byte(data bool, value byte) error {
	if err := g.clock(gpio.Level(data), value>>4); err != nil {
		return err
	}
	if err := g.clock(gpio.Level(data), value); err != nil {
		return err
	}
	g.wait(afterOrdinary)
	return nil
}

func (g *GPIO) clock(rs gpio.Level, nibble byte) error {
	if err := g.set(g.pins.E, gpio.Low); err != nil { // after a pulse that failed
		return err
	}
	if err := g.set(g.pins.RS, rs); err != nil {
		return err
	}
	for i, pin := range g.pins.D {
		if err := g.set(pin, gpio.Level(nibble>>i&1 == 1)); err != nil {
			return err
		}
	}
	for _, level := range []gpio.Level{gpio.High, gpio.Low} {
		if err := g.set(g.pins.E, level); err != nil {
			return err
		}
		g.wait(pulse)
	}
	return nil
}

// set touches only lines that change: each is a call into the kernel.
func (g *GPIO) set(pin gpio.PinOut, level gpio.Level) error {
	if was, known := g.levels[pin]; known && was == level {
		return nil
	}
	if owner, _ := owners.Load(pin); owner != g {
		return fmt.Errorf("cannot set pin %s: %w", pin.Name(), errTakenOver)
	}
	if err := pin.Out(level); err != nil {
		return fmt.Errorf("cannot set pin %s: %w", pin.Name(), err)
	}
	g.levels[pin] = level
	return nil
}

// Wait implements [Bus]. Before the first nibble it lowers E, which pull-ups may
// have held high: the module then executes whatever its lines say, and this wait
// leaves it the time for that.
func (g *GPIO) Wait(d time.Duration) error {
	if err := g.set(g.pins.E, gpio.Low); err != nil {
		return err
	}
	if d > 0 {
		g.wait(d)
	}
	return nil
}

// Backlight does nothing: no line of these reaches it.
func (g *GPIO) Backlight(bool) error { return nil }

// Check cannot ask.
func (g *GPIO) Check() error { return display.ErrBlind }

// Close lets go of the pins, but of those that another has taken over.
func (g *GPIO) Close() error {
	var errs []error
	for _, p := range g.all() {
		if owners.CompareAndDelete(p, g) {
			errs = append(errs, p.Halt())
		}
	}
	return errors.Join(errs...)
}
