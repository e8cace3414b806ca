package board

import (
	"fmt"
	"time"
)

// Board is the content of a board file: which parts are wired to a machine, and
// how. A part that is nil is missing.
type Board struct {
	Name   string `toml:"name"` // for people
	Pi     Pi     `toml:"pi"`   // the model whose header the lines are on; "" for another machine
	Keypad struct {
		Matrix *Matrix `toml:"matrix"`
		USB    *USB    `toml:"usb"`
	} `toml:"keypad"`
	Displays []Display `toml:"-"` // the sections under [display]; see displayDrivers
	Buzzer   struct {
		Active *Active `toml:"active"`
		Piezo  *Piezo  `toml:"piezo"`
	} `toml:"buzzer"`
	Lamps    *Lamps    `toml:"lamps"`
	Cues     Cues      `toml:"cues"`
	Strike   *Strike   `toml:"strike"`
	Tamper   *Tamper   `toml:"tamper"`
	Watchdog *Watchdog `toml:"watchdog"`
}

// Part is one section of a board file.
type Part interface {
	// Section returns the name of the section, without brackets.
	Section() string
	// Wires lists the connections in the order in which to make them.
	Wires() []Wire
	// Describe tells a person about the part.
	Describe() Description

	check(Pi) error // checks each value by itself
}

// OnBus is a part at a bus or port.
type OnBus interface {
	// Device returns the device file, and the address on an I²C bus or 0 for a
	// serial port.
	Device() (file string, address uint16)
}

// Description tells a person about a part.
type Description struct {
	Title   string   // what it is, in a few words
	Label   string   // the same, short enough to stand in front of a terminal's name
	Wiring  string   // how it is connected, for a report
	Buy     []string // what to buy; the part itself is first
	Picture Picture  // of a display
	Edges   string   // advice for a display that does not reach its edges
}

// Picture is how a display looks.
type Picture int

// The pictures of displays.
const (
	LCDPicture  Picture = iota // letters on a blue or green background
	OLEDPicture                // bright dots on black
	PolePicture                // a bright display on a pole, as at a till
)

// Parts lists the parts, in the order of Board.
func (b *Board) Parts() []Part {
	var parts []Part
	for _, k := range b.Keypads() {
		parts = append(parts, k)
	}
	for _, d := range b.Displays {
		parts = append(parts, d)
	}
	for _, s := range b.sounders() {
		parts = append(parts, s)
	}
	if b.Lamps != nil {
		parts = append(parts, b.Lamps)
	}
	if b.Strike != nil {
		parts = append(parts, b.Strike)
	}
	if b.Tamper != nil {
		parts = append(parts, b.Tamper)
	}
	if b.Watchdog != nil {
		parts = append(parts, b.Watchdog)
	}
	return parts
}

// Keypads lists the keypads.
func (b *Board) Keypads() []Keypad {
	var keypads []Keypad
	if b.Keypad.Matrix != nil {
		keypads = append(keypads, b.Keypad.Matrix)
	}
	if b.Keypad.USB != nil {
		keypads = append(keypads, b.Keypad.USB)
	}
	return keypads
}

// Sounder returns the buzzer, or nil.
func (b *Board) Sounder() Sounder {
	if s := b.sounders(); len(s) > 0 {
		return s[0]
	}
	return nil
}

func (b *Board) sounders() []Sounder {
	var sounders []Sounder
	if b.Buzzer.Active != nil {
		sounders = append(sounders, b.Buzzer.Active)
	}
	if b.Buzzer.Piezo != nil {
		sounders = append(sounders, b.Buzzer.Piezo)
	}
	return sounders
}

// Duration is a duration in a board file: "3s", "500ms".
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it like \"3s\" or \"500ms\"", text)
	}
	d.Duration = parsed
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
