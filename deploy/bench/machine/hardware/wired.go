//go:build linux

package hardware

import (
	"errors"
	"fmt"
	"image"

	"smartkiosk/device/board"
	"smartkiosk/device/display/displaysim"
)

// Wired is the hardware that a board file asks for. What the file has not is
// nil.
type Wired struct {
	Lines *Lines
	Bus   *Bus

	Keys    Keys // Matrix or Pad
	Matrix  *Matrix
	Pad     *NumberPad
	Display Display

	Buzzer, Green, Yellow, Red, Strike *Signal
	Tamper                             int // its line; -1 for none

	close []func() error
}

// Display is one that a person looks at.
type Display interface {
	Text() []string
	Picture() image.Image
	Faults() []string
	Changed() <-chan struct{}
}

// Pluggable is what can be pulled and put back.
type Pluggable interface {
	Pull() error
	Put() error
}

// A bus of I²C runs as a Pi's does unless told otherwise.
const i2cHertz = 100000

// Wire puts together what a board file asks for.
func Wire(b *board.Board) (w *Wired, err error) {
	w = &Wired{Tamper: -1}
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
	if err := errors.Join(w.wireKeys(b), w.wireDisplay(b), w.wireCues(b)); err != nil {
		return w, err
	}
	return w, nil
}

// Close takes everything apart.
func (w *Wired) Close() error {
	var errs []error
	for i := len(w.close) - 1; i >= 0; i-- {
		errs = append(errs, w.close[i]())
	}
	return errors.Join(errs...)
}

// Err is what went wrong with the hardware, nil for nothing.
func (w *Wired) Err() error {
	err := errors.Join(w.Lines.Err(), w.Bus.Err())
	for _, fault := range w.Display.Faults() {
		err = errors.Join(err, fmt.Errorf("display: %s", fault))
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

func (w *Wired) wireDisplay(b *board.Board) error {
	d := &b.Display
	switch {
	case d.HD44780 != nil:
		lines, err := numbers(append([]string{d.HD44780.RS, d.HD44780.E}, d.HD44780.Data...)...)
		if err != nil {
			return err
		}
		w.Display = w.Lines.WireLCD(d.HD44780.Rows, d.HD44780.Columns, lines[0], lines[1], [4]int(lines[2:]))
		return nil
	case d.PCF8574 != nil:
		plug, err := w.Bus.PutBackpack(uint16(d.PCF8574.Address), d.PCF8574.Rows, d.PCF8574.Columns)
		w.Display = plug
		return err
	case d.SSD1306 != nil:
		plug, err := w.Bus.PutOLED(uint16(d.SSD1306.Address), displaysim.NewSSD1306(), d.SSD1306.Form().Layout)
		w.Display = plug
		return err
	case d.SH1106 != nil:
		plug, err := w.Bus.PutOLED(uint16(d.SH1106.Address), displaysim.NewSH1106(), d.SH1106.Form().Layout)
		w.Display = plug
		return err
	case d.SerLCD != nil:
		return w.plugSerial(d.SerLCD.Port, displaysim.NewSerLCD(d.SerLCD.Rows, d.SerLCD.Columns))
	case d.LK204 != nil:
		return w.plugSerial(d.LK204.Port, displaysim.NewLK204())
	case d.DMD110 != nil:
		return w.plugSerial(d.DMD110.Port, displaysim.NewDMD110())
	}
	return errors.New("the board has no display")
}

func (w *Wired) plugSerial(port string, module *displaysim.Serial) error {
	p, err := PlugSerial(port, module)
	if err != nil {
		return err
	}
	w.Display = p
	w.close = append(w.close, p.Pull)
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

// numbers gives the n of each GPIOn.
func numbers(names ...string) ([]int, error) {
	n := make([]int, len(names))
	for i, name := range names {
		if _, err := fmt.Sscanf(name, "GPIO%d", &n[i]); err != nil {
			return nil, fmt.Errorf("%s is no line of the machine's: %w", name, err)
		}
	}
	return n, nil
}
