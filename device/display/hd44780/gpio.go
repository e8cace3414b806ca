package hd44780

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/display"
)

// Pins are the six lines of a module in 4-bit operation. R/W is wired to
// ground, so the module can be written but not read.
type Pins struct {
	RS, E gpio.PinOut
	D     [4]gpio.PinOut // D4 to D7
}

// GPIO is a bus of six pins.
type GPIO struct {
	pins   Pins
	wait   func(time.Duration)
	levels map[gpio.PinOut]gpio.Level
	closed atomic.Bool
}

// pulse is how long E stays high, and then low, for each nibble: at least 450
// and 550 ns at 2.7 V (datasheet, "AC characteristics", write operation).
const pulse = time.Microsecond

// NewGPIO returns a bus of these pins. wait waits for a time; it is [Pause]
// except in tests.
func NewGPIO(pins Pins, wait func(time.Duration)) (*GPIO, error) {
	g := &GPIO{pins: pins, wait: wait, levels: map[gpio.PinOut]gpio.Level{}}
	seen := map[string]bool{}
	for _, p := range g.all() {
		if p == nil || p == gpio.INVALID {
			return nil, errors.New("cannot use display: each of RS, E and D4 to D7 needs a pin")
		}
		if seen[p.Name()] {
			return nil, fmt.Errorf("cannot use display: pin %s is named twice", p.Name())
		}
		seen[p.Name()] = true
	}
	return g, nil
}

func (g *GPIO) all() []gpio.PinOut { return append([]gpio.PinOut{g.pins.RS, g.pins.E}, g.pins.D[:]...) }

// Pause waits. Up to 200 µs it polls the clock, because a sleep lasts about 60 µs
// longer than asked for. Above that it sleeps.
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

// set writes only lines that change: each write is a call into the kernel. After
// Close it writes nothing. A driver that display.Keeper has given up may still
// run, and if two drivers wrote to the same pins, the module would lose count of
// its nibbles.
func (g *GPIO) set(pin gpio.PinOut, level gpio.Level) error {
	if was, known := g.levels[pin]; known && was == level {
		return nil
	}
	if g.closed.Load() {
		return fmt.Errorf("cannot set pin %s: %w", pin.Name(), os.ErrClosed)
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

// Check returns display.ErrBlind.
func (g *GPIO) Check() error { return display.ErrBlind }

// Close releases the pins, once.
func (g *GPIO) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, p := range g.all() {
		errs = append(errs, p.Halt())
	}
	return errors.Join(errs...)
}
