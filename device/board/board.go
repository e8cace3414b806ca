package board

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Board is the content of a board file: what is wired to a machine, and how. A
// part that is nil is not there.
type Board struct {
	Name   string `toml:"name"` // what a person calls it
	Pi     Pi     `toml:"pi"`   // whose header the lines are on; "" for another machine
	Keypad struct {
		Matrix *Matrix `toml:"matrix"`
		USB    *USB    `toml:"usb"`
	} `toml:"keypad"`
	Display struct {
		HD44780 *HD44780 `toml:"hd44780"`
		PCF8574 *PCF8574 `toml:"pcf8574"`
		SSD1306 *SSD1306 `toml:"ssd1306"`
		SH1106  *SH1106  `toml:"sh1106"`
		SerLCD  *SerLCD  `toml:"serlcd"`
		LK204   *LK204   `toml:"lk204"`
		DMD110  *DMD110  `toml:"dm-d110"`
	} `toml:"display"`
	Buzzer struct {
		Active *Active `toml:"active"`
		Piezo  *Piezo  `toml:"piezo"`
	} `toml:"buzzer"`
	Lamps    *Lamps    `toml:"lamps"`
	Strike   *Strike   `toml:"strike"`
	Tamper   *Tamper   `toml:"tamper"`
	Watchdog *Watchdog `toml:"watchdog"`
}

// Part is one section of a board file.
type Part interface {
	// Section is the section's name, without brackets.
	Section() string
	// Wires are what is to be connected, in the order in which one would.
	Wires() []Wire

	check(Pi) error // of the values, each by itself
}

// Parts lists what is there, in the order of Board.
func (b *Board) Parts() []Part {
	var parts []Part
	for _, k := range b.Keypads() {
		parts = append(parts, k)
	}
	for _, d := range b.Displays() {
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

// Displays lists the displays.
func (b *Board) Displays() []Display {
	var displays []Display
	d := &b.Display
	if d.HD44780 != nil {
		displays = append(displays, d.HD44780)
	}
	if d.PCF8574 != nil {
		displays = append(displays, d.PCF8574)
	}
	if d.SSD1306 != nil {
		displays = append(displays, d.SSD1306)
	}
	if d.SH1106 != nil {
		displays = append(displays, d.SH1106)
	}
	if d.SerLCD != nil {
		displays = append(displays, d.SerLCD)
	}
	if d.LK204 != nil {
		displays = append(displays, d.LK204)
	}
	if d.DMD110 != nil {
		displays = append(displays, d.DMD110)
	}
	return displays
}

// Sounder is the buzzer, nil for none.
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

// Load reads and checks a board file. Its errors name the file, the line or
// section and key, and say what to do. It touches no hardware.
func Load(path string) (*Board, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read board: %w", err)
	}
	b, err := Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("cannot use board %s: %w", path, err)
	}
	return b, nil
}

// Parse is Load for the text of a board file.
func Parse(text string) (*Board, error) {
	b := &Board{}
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(b); err != nil {
		return nil, explain(err)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// explain adds to a TOML error the place it is at.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		unknown := strict.Errors[0]
		row, _ := unknown.Position()
		return fmt.Errorf("line %d: there is no %q here: correct it or take it out", row, strings.Join(unknown.Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %w", row, column, err)
	}
	return err
}

// Duration is a time in a board file: "3s", "500ms".
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no time: write it as \"3s\" or \"500ms\"", text)
	}
	d.Duration = parsed
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
