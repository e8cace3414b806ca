//go:build linux

package hardware

import (
	"errors"
	"fmt"
	"image"

	"smartkiosk/device/board"
	"smartkiosk/device/display/displaysim"
)

// Display is a display that a person looks at.
type Display interface {
	Text() []string
	Picture() image.Image
	Faults() []string
	Changed() <-chan struct{}
}

func (w *Wired) wireDisplays(b *board.Board) error {
	for _, section := range b.Displays {
		d, err := w.wireDisplay(section)
		if err != nil {
			return fmt.Errorf("%s: %w", section.Section(), err)
		}
		if w.Display == nil {
			w.Display = d
		}
		w.Displays[section.Section()] = d
	}
	if w.Display == nil {
		return errors.New("the board has no display")
	}
	return nil
}

func (w *Wired) wireDisplay(section board.Display) (Display, error) {
	layout := section.Form().Layout
	switch d := section.(type) {
	case *board.HD44780:
		lines, err := numbers(append([]string{d.RS, d.E}, d.Data...)...)
		if err != nil {
			return nil, err
		}
		return w.Lines.WireLCD(d.Rows, d.Columns, lines[0], lines[1], [4]int(lines[2:])), nil
	case *board.PCF8574:
		return w.Bus.PutBackpack(uint16(d.Address), d.Rows, d.Columns)
	case *board.OLED:
		return w.Bus.PutOLED(uint16(d.Address), displaysim.NewOLED(d.Chip.String()), layout)
	case *board.SerLCD:
		return w.plugSerial(d.Port, displaysim.NewSerLCD(d.Rows, d.Columns))
	case *board.LK204:
		return w.plugSerial(d.Port, displaysim.NewLK204())
	case *board.DMD110:
		return w.plugSerial(d.Port, displaysim.NewDMD110())
	}
	return nil, errors.New("the bench cannot simulate this display")
}

func (w *Wired) plugSerial(port string, module *displaysim.Serial) (Display, error) {
	p, err := PlugSerial(port, module)
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, p.Pull)
	return p, nil
}
