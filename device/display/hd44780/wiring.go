package hd44780

import (
	"fmt"
	"slices"
	"strings"
)

// Wiring maps the terminals of the display to the pins 0 to 7 of the expander.
type Wiring struct {
	RS, E     int
	RW, Light int    // -1 if not connected
	Data      [4]int // D4 to D7
	LightLow  bool   // the light is on while its pin is low
}

// Terminals are the names of the terminals in ParseWiring.
var terminals = []string{"rs", "rw", "e", "light", "d4", "d5", "d6", "d7"}

// unconnected is the name of a pin that goes nowhere.
const unconnected = "-"

// KnownWiring is the wiring of backpacks that are sold.
type KnownWiring struct {
	Name string
	Pins []string // as ParseWiring reads them
	// LightLow is the usual polarity of the light.
	LightLow bool
}

// KnownWirings are the wirings of backpacks on the market, the most common first.
// The pins and polarities of the first three agree with hd44780_I2Cexp.h of Bill
// Perry's hd44780 library. For LCDXIO that file lists two boards: one without
// control of the light, which ignores P7, and one with a PNP transistor at P7, whose
// light is on at low level. Low therefore suits both.
var KnownWirings = []KnownWiring{
	{"LCM1602, YwRobot", []string{"rs", "rw", "e", "light", "d4", "d5", "d6", "d7"}, false},
	{"mjkdz, GY-IICLCD", []string{"d4", "d5", "d6", "d7", "e", "rw", "rs", "light"}, true},
	{"LCDXIO", []string{"d4", "d5", "d6", "d7", "rs", "rw", "e", "light"}, true},
	{"D6 and RS exchanged", []string{"d6", "rw", "e", "light", "d4", "d5", "rs", "d7"}, false},
}

// Common is the most common wiring.
var Common = Wiring{RS: 0, RW: 1, E: 2, Light: 3, Data: [4]int{4, 5, 6, 7}}

// ParseWiring reads the terminals of the pins P0 to P7. A pin that goes nowhere is
// "-"; only rw and light may be missing. No pins at all are the common wiring.
func ParseWiring(pins []string, lightLow bool) (Wiring, error) {
	if len(pins) == 0 {
		w := Common
		w.LightLow = lightLow
		return w, nil
	}
	if len(pins) != 8 {
		return Wiring{}, fmt.Errorf("%d pins are named: name the terminals of P0 to P7", len(pins))
	}
	at := map[string]int{}
	for pin, terminal := range pins {
		if terminal == unconnected {
			continue
		}
		if !slices.Contains(terminals, terminal) {
			return Wiring{}, fmt.Errorf("%q is not a terminal: use %s, or %q for a pin that goes nowhere", terminal, strings.Join(terminals, ", "), unconnected)
		}
		if before, ok := at[terminal]; ok {
			return Wiring{}, fmt.Errorf("pins P%d and P%d both go to %q", before, pin, terminal)
		}
		at[terminal] = pin
	}
	for _, terminal := range terminals {
		if _, ok := at[terminal]; ok {
			continue
		}
		if terminal != "rw" && terminal != "light" {
			return Wiring{}, fmt.Errorf("no pin goes to %q", terminal)
		}
		at[terminal] = -1
	}
	return Wiring{
		RS: at["rs"], RW: at["rw"], E: at["e"], Light: at["light"],
		Data: [4]int{at["d4"], at["d5"], at["d6"], at["d7"]}, LightLow: lightLow,
	}, nil
}

// bit returns the bit of a pin; 0 if it is not connected.
func bit(pin int) byte {
	if pin < 0 {
		return 0
	}
	return 1 << pin
}
