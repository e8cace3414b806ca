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
	OpenFor   Duration `toml:"open"` // after each verdict that lets somebody in
	Max       Duration `toml:"max"`  // the longest that it may be on, whatever happens
	ActiveLow bool     `toml:"active_low"`
}

// Section implements Part.
func (*Strike) Section() string { return "strike" }

// Open starts its guardian, which shuts it. Guard must be called in main.
func (s *Strike) Open() (*cue.Strike, error) {
	name := s.Pin
	if s.ActiveLow {
		name += activeLow
	}
	return cue.OpenStrike(name, s.Max.Duration)
}

// activeLow is what the guardian's line is called where on is low.
const activeLow = " active-low"

// Guard is cue.Guard for the lines of this package. It must be the first thing
// that main does in every program that opens a Strike.
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
		return nil // told with the other lines
	}
	// From the start of the machine until a program takes the line, its pull
	// says whether the door is open.
	if !s.ActiveLow && pulledUp(s.Pin) {
		return fmt.Errorf("pin is %s, which the Pi pulls up at each start, so that the door would be open: use GPIO9 to GPIO27", s.Pin)
	}
	if s.ActiveLow && !pulledUp(s.Pin) {
		return fmt.Errorf("pin is %s, which the Pi pulls down at each start, so that a door that is active_low would be open: use GPIO4 to GPIO8", s.Pin)
	}
	return nil
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
		{Terminal: "IN", Line: s.Pin, Note: "of a relay module that is on at " + level(s.ActiveLow) + " level; 10 kΩ from here to " + to + " keep it shut while nobody drives it"},
		{Terminal: "COM, NO", Device: "the strike's own circuit", Note: "with a diode (1N4007) across the strike's coil"},
	}
}
