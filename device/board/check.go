package board

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"
)

// check returns the first mistake of a board.
func (b *Board) check() error {
	if b.Name == "" {
		return errors.New("name is missing: write what this board is for")
	}
	if err := b.Pi.check(); err != nil {
		return err
	}
	if len(b.Parts()) == 0 {
		return errors.New("there are no parts: add a section, for example [keypad.usb]")
	}
	if len(b.sounders()) > 1 {
		return errors.New("[buzzer.active] and [buzzer.piezo] are both there: a board has one buzzer: remove one")
	}
	if err := b.Cues.check(); err != nil {
		return err
	}
	taken := claims{}
	for _, p := range b.Parts() {
		if err := p.check(b.Pi); err != nil {
			return fmt.Errorf("[%s] %w", p.Section(), err)
		}
		if err := taken.part(b.Pi, p); err != nil {
			return fmt.Errorf("[%s] %w", p.Section(), err)
		}
	}
	return nil
}

// claims maps each line, port and address to the part that uses it.
type claims map[string]string

func (c claims) part(pi Pi, p Part) error {
	if s, ok := p.(OnBus); ok {
		if err := c.device(pi, p, s); err != nil {
			return err
		}
	}
	for _, w := range p.Wires() {
		if w.Device != "" || w.power() {
			continue
		}
		if err := pi.checkLine(w.Line); err != nil {
			return fmt.Errorf("%s: %w", w.Terminal, err)
		}
		if by, ok := c[w.Line]; ok {
			return fmt.Errorf("%s: %s is already used by %s: use another line", w.Terminal, w.Line, by)
		}
		c[w.Line] = fmt.Sprintf("[%s] %s", p.Section(), w.Terminal)
	}
	return nil
}

// device claims a port, or an address of a bus, and the lines that it needs.
func (c claims) device(pi Pi, p Part, s OnBus) error {
	file, address := s.Device()
	what := file
	if address != 0 {
		what = fmt.Sprintf("address %#x of %s", address, file)
	}
	if by, ok := c[what]; ok {
		return fmt.Errorf("%s is already used by %s: two parts cannot share it", what, by)
	}
	c[what] = "[" + p.Section() + "]"
	lines := pi.DeviceLines(file)
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		if by, ok := c[line]; ok && by != file {
			return fmt.Errorf("%s needs %s as its %s, but %s already uses that line: use another line there", file, line, lines[line], by)
		}
		c[line] = file
	}
	return nil
}

// checkDevice checks that a key names a device file.
func checkDevice(key, file, example string) error {
	if !path.IsAbs(file) || path.Clean(file) != file {
		return fmt.Errorf("%s is %q, which is not a device file: write it like %q", key, file, example)
	}
	return nil
}

func checkNumber(key string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%s is %d: use %d to %d", key, value, low, high)
	}
	return nil
}

func checkTime(key string, value Duration, low, high time.Duration) error {
	if value.Duration < low || value.Duration > high {
		return fmt.Errorf("%s is %v: use %v to %v", key, value, low, high)
	}
	return nil
}
