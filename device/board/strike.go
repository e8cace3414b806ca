package board

import (
	"fmt"
	"strings"
	"time"

	"smartkiosk/device/cue"
)

// Strike is [strike]: a door strike or a relay.
type Strike struct {
	Pin       string   `toml:"pin"`
	OpenFor   Duration `toml:"open"` // the time of an opening, after a verdict that grants access
	Max       Duration `toml:"max"`  // the longest time that it may be on
	ActiveLow bool     `toml:"active_low"`
}

// Section implements Part.
func (*Strike) Section() string { return "strike" }

// Open starts the guardian process, which shuts the strike. main must call Guard.
func (s *Strike) Open() (*cue.Strike, error) {
	name := s.Pin
	if s.ActiveLow {
		name += activeLow
	}
	return cue.OpenStrike(name, s.Max.Duration)
}

// activeLow is the suffix that tells the guardian that the strike is on at low
// level. It follows the line's name.
const activeLow = " active-low"

// Guard is cue.Guard for the lines of this package. A program that opens a Strike
// must call it first in main.
func Guard() { cue.Guard(strikeLine) }

func strikeLine(name string) (cue.Output, error) {
	name, low := strings.CutSuffix(name, activeLow)
	return output(name, low)
}

func (s *Strike) check(pi Pi) error {
	if err := checkTime("open", s.OpenFor, 500*time.Millisecond, 30*time.Second); err != nil {
		return err
	}
	if err := checkTime("max", s.Max, s.OpenFor.Duration, time.Minute); err != nil {
		return err
	}
	if pi == "" || pi.checkLine(s.Pin) != nil {
		return nil // reported with the other lines
	}
	// Until a program configures the line, its pull-up or pull-down decides
	// whether the door is open.
	if !s.ActiveLow && pulledUp(s.Pin) {
		return fmt.Errorf("pin is %s, which the Pi pulls up when it starts, so the door would be open: use GPIO9 to GPIO27", s.Pin)
	}
	if s.ActiveLow && !pulledUp(s.Pin) {
		return fmt.Errorf("pin is %s, which the Pi pulls down when it starts, so with active_low the door would be open: use GPIO4 to GPIO8", s.Pin)
	}
	return nil
}

// Describe implements Part.
func (s *Strike) Describe() Description {
	return Description{Title: "door strike", Label: "relay", Wiring: s.Pin, Buy: []string{
		"5 V relay module with an optocoupler that is on at " + level(s.ActiveLow) + " level and accepts 3.3 V at its input", "resistor of 10 kΩ",
		"fail-secure door strike, its power supply, a 1N4007 diode",
	}}
}

// Wires implements Part.
func (s *Strike) Wires() []Wire {
	to := Ground
	if s.ActiveLow {
		to = Volts3V3
	}
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts5},
		{Terminal: "IN", Line: s.Pin, Note: "a relay module that is on at " + level(s.ActiveLow) + " level; 10 kΩ from here to " + to + " keeps the door shut while no program runs"},
		{Terminal: "COM, NO", Device: "the strike's own circuit", Note: "with a diode (1N4007) across the strike's coil"},
	}
}
