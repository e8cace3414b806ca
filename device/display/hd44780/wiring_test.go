package hd44780_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// TestWirings shows text on displays behind backpacks with the known wirings and
// with random ones, in both polarities of the light. A wrong wiring shows nothing.
func TestWirings(t *testing.T) {
	var all [][]string
	for _, known := range hd44780.KnownWirings {
		all = append(all, known.Pins)
	}
	r := rand.New(rand.NewPCG(12, 6))
	for range 100 {
		pins := slices.Clone(hd44780.KnownWirings[0].Pins)
		r.Shuffle(len(pins), func(i, j int) { pins[i], pins[j] = pins[j], pins[i] })
		if r.IntN(4) == 0 {
			pins[slices.Index(pins, []string{"rw", "light"}[r.IntN(2)])] = "-"
		}
		all = append(all, pins)
	}
	show := func(pins []string, lightLow bool, x *displaysim.Expander, clock *displaysim.Clock) error {
		wiring, err := hd44780.ParseWiring(pins, lightLow)
		if err != nil {
			t.Fatal(err)
		}
		bus := &displaysim.I2C{Address: 0x27, Target: x, Hertz: 100000, Clock: clock}
		backpack, err := hd44780.NewBackpack(bus, 0x27, wiring, clock.Wait)
		if err != nil {
			t.Fatal(err)
		}
		lcd, err := hd44780.New(backpack, 2, 16, hd44780.AnyROM)
		if err != nil {
			t.Fatal(err)
		}
		text, err := display.NewText(lcd)
		if err != nil {
			t.Fatal(err)
		}
		return text.Show(display.Frame{Rows: []string{"Sett inn kortet", "Blåbær"}})
	}
	for _, pins := range all {
		for _, lightLow := range []bool{false, true} {
			clock := &displaysim.Clock{}
			x := displaysim.NewExpander(displaysim.NewHD44780(2, 16, clock))
			x.Pins, x.LightLow = pins, lightLow
			if err := show(pins, lightLow, x, clock); err != nil {
				t.Error(err)
			}
			if got := x.LCD.Text(); strings.TrimSpace(got[0]) != "Sett inn kortet" || strings.TrimSpace(got[1]) != "Blåbær" {
				t.Errorf("%s: shows %q", pins, got)
			}
			if slices.Contains(pins, "light") && !x.Light() {
				t.Errorf("%s, light low %v: the light is off", pins, lightLow)
			}
			for _, fault := range x.LCD.Faults {
				t.Errorf("%s: %s", pins, fault)
			}
		}
	}
	clock := &displaysim.Clock{}
	x := displaysim.NewExpander(displaysim.NewHD44780(2, 16, clock))
	if err := show(hd44780.KnownWirings[1].Pins, false, x, clock); err != nil {
		t.Error(err)
	}
	if got := x.LCD.Text(); strings.Contains(got[0], "Sett") || x.Light() {
		t.Errorf("a wrong wiring shows %q, light %v", got, x.Light())
	}
}

// TestKnownPolarity: the light of these backpacks is on while its pin is low,
// according to the published pin maps.
func TestKnownPolarity(t *testing.T) {
	low := map[string]bool{"mjkdz, GY-IICLCD": true, "LCDXIO": true}
	for _, known := range hd44780.KnownWirings {
		if known.LightLow != low[known.Name] {
			t.Errorf("%s: light low %v", known.Name, known.LightLow)
		}
	}
}

func TestParseWiring(t *testing.T) {
	good := hd44780.KnownWirings[0].Pins
	with := func(pin int, terminal string) []string {
		pins := slices.Clone(good)
		pins[pin] = terminal
		return pins
	}
	for _, tt := range []struct {
		pins []string
		want string
	}{
		{good[:7], "7 pins are named: name the terminals of P0 to P7"},
		{with(1, "r/w"), `"r/w" is not a terminal: use rs, rw, e, light, d4, d5, d6, d7, or "-" for a pin that goes nowhere`},
		{with(4, "d5"), `pins P4 and P5 both go to "d5"`},
		{with(2, "-"), `no pin goes to "e"`},
	} {
		if _, err := hd44780.ParseWiring(tt.pins, false); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.pins, err, tt.want)
		}
	}
	if w, err := hd44780.ParseWiring(nil, false); err != nil || w != hd44780.Common {
		t.Errorf("no pins: %+v, %v", w, err)
	}
}
