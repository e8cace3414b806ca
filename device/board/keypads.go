package board

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"smartkiosk/device/keypad"
)

// Keypad is a section of a keypad.
type Keypad interface {
	Part
	// Open starts to read the keypad. The errors name the line or device.
	Open() (*keypad.Keypad, error)
}

// Timing are the settings of a keypad for people whose hands shake or move slowly;
// see keypad.Timing. 0s switches each of them off.
type Timing struct {
	DoubleStrike Duration `toml:"double_strike"`
	RepeatAfter  Duration `toml:"repeat_after"`
	RepeatEvery  Duration `toml:"repeat_every"`
}

func (t Timing) timing() keypad.Timing {
	return keypad.Timing{DoubleStrike: t.DoubleStrike.Duration, RepeatAfter: t.RepeatAfter.Duration, RepeatEvery: t.RepeatEvery.Duration}
}

// check allows at least the ranges of EN 301 549, clauses 5.7 and 5.8.
func (t Timing) check() error {
	if err := checkTime("double_strike", t.DoubleStrike, 0, 2*time.Second); err != nil {
		return err
	}
	if t.RepeatAfter.Duration == 0 && t.RepeatEvery.Duration == 0 {
		return nil
	}
	if err := checkTime("repeat_after", t.RepeatAfter, 200*time.Millisecond, 5*time.Second); err != nil {
		return err
	}
	return checkTime("repeat_every", t.RepeatEvery, 100*time.Millisecond, 5*time.Second)
}

// Matrix is [keypad.matrix]: bare contacts between lines.
type Matrix struct {
	Rows       []string `toml:"rows"`        // lines, the top row first
	Columns    []string `toml:"columns"`     // lines, the left column first
	Layout     []string `toml:"layout"`      // see keypad.Layout
	StuckAfter Duration `toml:"stuck_after"` // a key held for this long counts as stuck; 20s by default
	Timing
	Poll Duration `toml:"poll"` // see keypad.Matrix; 0s for lines that report edges
}

// Section implements Part.
func (*Matrix) Section() string { return "keypad.matrix" }

// Open implements Keypad.
func (m *Matrix) Open() (*keypad.Keypad, error) {
	rows, err := lines(m.Rows...)
	if err != nil {
		return nil, err
	}
	columns, err := lines(m.Columns...)
	if err != nil {
		return nil, err
	}
	return keypad.OpenMatrix(keypad.Matrix{
		Rows: rows, Cols: columns, Layout: m.Layout, StuckAfter: m.StuckAfter.Duration, Timing: m.timing(), Poll: m.Poll.Duration,
	})
}

func (m *Matrix) check(Pi) error {
	if len(m.Rows) < 1 || len(m.Columns) < 1 || len(m.Rows)*len(m.Columns) > 32 {
		return fmt.Errorf("rows has %d lines and columns has %d: a keypad has 1 to 32 keys", len(m.Rows), len(m.Columns))
	}
	if len(m.Layout) != len(m.Rows) {
		return fmt.Errorf("layout has %d rows, but rows has %d lines: write one string for each row", len(m.Layout), len(m.Rows))
	}
	seen := ""
	for i, row := range m.Layout {
		if len([]rune(row)) != len(m.Columns) {
			return fmt.Errorf("layout row %d is %q, %d keys, but columns has %d lines: write one character for each column", i+1, row, len([]rune(row)), len(m.Columns))
		}
		for _, key := range row {
			if !strings.ContainsRune("0123456789*#LRV ", key) {
				return fmt.Errorf("layout has the unknown key %q: use 0 to 9, *, #, L for the language key, R and V for repeat and volume of speech, and a space for a key that does nothing", key)
			}
		}
		seen += row
	}
	for _, key := range "0123456789*#" {
		if strings.Count(seen, string(key)) != 1 {
			return fmt.Errorf("layout has the key %q %d times: PIN entry needs each of 0 to 9, * and # exactly once", key, strings.Count(seen, string(key)))
		}
	}
	if m.StuckAfter.Duration != 0 {
		if err := checkTime("stuck_after", m.StuckAfter, time.Second, 10*time.Minute); err != nil {
			return err
		}
	}
	if err := m.Timing.check(); err != nil {
		return err
	}
	if m.Poll.Duration != 0 {
		return checkTime("poll", m.Poll, 5*time.Millisecond, 100*time.Millisecond)
	}
	return nil
}

// Describe implements Part.
func (m *Matrix) Describe() Description {
	size := fmt.Sprintf("%d×%d", len(m.Columns), len(m.Rows))
	return Description{
		Title: size + " keypad", Label: "keypad", Wiring: strings.Join(append(slices.Clone(m.Rows), m.Columns...), " "),
		Buy: []string{size + " matrix keypad with bare contacts: membrane or switches"},
	}
}

// Wires implements Part.
func (m *Matrix) Wires() []Wire {
	var wires []Wire
	for i, name := range m.Rows {
		wires = append(wires, Wire{Terminal: fmt.Sprintf("row %d", i+1), Line: name, Note: "keys " + keysOf(m.Layout[i])})
	}
	for i, name := range m.Columns {
		column := ""
		for _, row := range m.Layout {
			column += string([]rune(row)[i])
		}
		wires = append(wires, Wire{Terminal: fmt.Sprintf("column %d", i+1), Line: name, Note: "keys " + keysOf(column)})
	}
	return wires
}

// keysOf names keys as they are printed on a keypad.
func keysOf(keys string) string {
	var words []string
	for _, key := range keys {
		switch key {
		case ' ':
			words = append(words, "–")
		case 'L':
			words = append(words, "language")
		case 'R':
			words = append(words, "repeat")
		case 'V':
			words = append(words, "volume")
		default:
			words = append(words, string(key))
		}
	}
	return strings.Join(words, " ")
}

// USB is [keypad.usb]: number pads, and keyboards whose name matches.
type USB struct {
	Match      string   `toml:"match"`       // see keypad.USB; "" for any number pad
	StuckAfter Duration `toml:"stuck_after"` // see Matrix
	Timing
}

// Section implements Part.
func (*USB) Section() string { return "keypad.usb" }

// Open implements Keypad.
func (u *USB) Open() (*keypad.Keypad, error) {
	return keypad.OpenUSB(keypad.USB{Match: u.Match, StuckAfter: u.StuckAfter.Duration, Timing: u.timing()})
}

func (u *USB) check(Pi) error {
	if u.StuckAfter.Duration != 0 {
		if err := checkTime("stuck_after", u.StuckAfter, time.Second, 10*time.Minute); err != nil {
			return err
		}
	}
	return u.Timing.check()
}

// Describe implements Part.
func (u *USB) Describe() Description {
	about := Description{
		Title: "USB number pad", Label: "number pad", Wiring: "any number pad",
		Buy: []string{"USB number pad without letter keys"},
	}
	if u.Match != "" {
		about.Wiring = fmt.Sprintf("whose name contains %q", u.Match)
	}
	return about
}

// Wires implements Part.
func (u *USB) Wires() []Wire {
	return []Wire{{Terminal: "USB plug", Device: "a USB socket", Note: "Enter is OK, Backspace corrects, / changes the language"}}
}
