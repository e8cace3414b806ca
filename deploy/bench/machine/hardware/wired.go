//go:build linux

package hardware

import (
	"errors"
	"fmt"

	"smartkiosk/device/board"
)

// Wired is the hardware of a board file. A field is nil when the board file does
// not have that part.
type Wired struct {
	Lines *Lines
	Bus   *Bus

	Keys     Keys // what the person types on: Pad, or Matrix when there is no pad
	Matrix   *Matrix
	Pad      *NumberPad
	Displays map[string]Display // by the section of the board file
	Display  Display            // the one that the person looks at; first of the board file by default

	Buzzer, Green, Yellow, Red, Strike *Signal
	Tamper                             int // line of the tamper switch; -1 for none

	close []func() error
}

// Pluggable is a part that can be unplugged and plugged in again.
type Pluggable interface {
	Pull() error
	Put() error
}

// i2cHertz is the rate of a Pi's I²C bus by default.
const i2cHertz = 100000

// Wire wires the hardware of a board file.
func Wire(b *board.Board) (w *Wired, err error) {
	w = &Wired{Tamper: -1, Displays: map[string]Display{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.Lines, err = OpenLines(); err != nil {
		return w, err
	}
	w.close = append(w.close, w.Lines.Close)
	if w.Bus, err = OpenBus(i2cHertz); err != nil {
		return w, err
	}
	w.close = append(w.close, w.Bus.Close)
	if err := errors.Join(w.wireKeys(b), w.wireDisplays(b), w.wireCues(b)); err != nil {
		return w, err
	}
	return w, nil
}

// Close removes the hardware.
func (w *Wired) Close() error {
	var errs []error
	for i := len(w.close) - 1; i >= 0; i-- {
		errs = append(errs, w.close[i]())
	}
	return errors.Join(errs...)
}

// Err returns what went wrong with the hardware, with the faults that displays
// found.
func (w *Wired) Err() error {
	err := errors.Join(w.Lines.Err(), w.Bus.Err())
	for section, d := range w.Displays {
		for _, fault := range d.Faults() {
			err = errors.Join(err, fmt.Errorf("%s: %s", section, fault))
		}
	}
	return err
}

func (w *Wired) wireKeys(b *board.Board) (err error) {
	if m := b.Keypad.Matrix; m != nil {
		rows, err := numbers(m.Rows...)
		if err != nil {
			return err
		}
		cols, err := numbers(m.Columns...)
		if err != nil {
			return err
		}
		w.Matrix = w.Lines.WireMatrix(rows, cols, m.Layout)
		w.Keys = w.Matrix
	}
	if b.Keypad.USB != nil {
		if w.Pad, err = PlugNumberPad("Bench Number Pad"); err != nil {
			return err
		}
		w.close = append(w.close, w.Pad.Pull)
		w.Keys = w.Pad
	}
	return nil
}

func (w *Wired) wireCues(b *board.Board) error {
	wire := func(to **Signal, line string, activeLow bool) error {
		if line == "" {
			return nil
		}
		n, err := numbers(line)
		if err != nil {
			return err
		}
		*to = w.Lines.WireSignal(n[0], activeLow)
		return nil
	}
	var errs []error
	if a := b.Buzzer.Active; a != nil {
		errs = append(errs, wire(&w.Buzzer, a.Pin, a.ActiveLow))
	}
	if p := b.Buzzer.Piezo; p != nil {
		w.Buzzer = w.Lines.WireSignal(FirstTone+p.Channel, false)
	}
	if l := b.Lamps; l != nil {
		errs = append(errs, wire(&w.Green, l.Green, l.ActiveLow), wire(&w.Yellow, l.Yellow, l.ActiveLow), wire(&w.Red, l.Red, l.ActiveLow))
	}
	if s := b.Strike; s != nil {
		errs = append(errs, wire(&w.Strike, s.Pin, s.ActiveLow))
	}
	if t := b.Tamper; t != nil {
		n, err := numbers(t.Pin)
		if errs = append(errs, err); err == nil {
			w.Tamper = n[0]
			errs = append(errs, w.Lines.Drive(w.Tamper, false)) // the housing is closed
		}
	}
	return errors.Join(errs...)
}

// numbers returns the n of each name GPIOn.
func numbers(names ...string) ([]int, error) {
	n := make([]int, len(names))
	for i, name := range names {
		if _, err := fmt.Sscanf(name, "GPIO%d", &n[i]); err != nil {
			return nil, fmt.Errorf("the machine has no line %q: %w", name, err)
		}
	}
	return n, nil
}
