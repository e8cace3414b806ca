//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/board"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// TestAskWirings checks that the answers of a person at the display lead to its wiring,
// the polarity of its backlight and its size.
func TestAskWirings(t *testing.T) {
	for i, known := range hd44780.KnownWirings {
		for _, lightLow := range []bool{false, true} {
			for _, rows := range []int{2, 4} {
				synctest.Test(t, func(t *testing.T) {
					clock := &displaysim.Clock{}
					x := displaysim.NewExpander(displaysim.NewHD44780(rows, map[int]int{2: 16, 4: 20}[rows], clock))
					x.Pins, x.LightLow = known.Pins, lightLow
					bus := &displaysim.I2C{Address: 0x27, Target: x, Hertz: 100000, Clock: clock}
					registerBus(t, bus)
					keys := make(chan byte)
					person := &reading{keys: keys, bus: bus, x: x}
					f := findings{I2C: []busFinding{{Device: "/dev/i2c-1", Parts: []addressFinding{{Address: "0x27", number: 0x27, Section: "display.pcf8574"}}}}}
					m := fakeMachine(t, nil)
					m.openBus = func(string) (i2c.BusCloser, error) { return board.OpenI2C("/dev/i2c-1") }
					m.askWirings(t.Context(), personOf(keys, person), &f)
					b, err := board.Parse(f.Board)
					if err != nil {
						t.Fatalf("%v\n%s", err, f.Board)
					}
					d := b.Displays[0].(*board.PCF8574)
					want, _ := hd44780.ParseWiring(known.Pins, lightLow)
					if got, err := hd44780.ParseWiring(d.Pins, d.LightActiveLow); err != nil || got != want || d.Rows != rows {
						t.Errorf("wiring %d, light low %v, %d rows: found %s", i, lightLow, rows, f.Board)
					}
				})
			}
		}
	}
}

func personOf(keys <-chan byte, out io.Writer) person { return person{keys: keys, out: out} }

// reading simulates a person who looks at a display and answers questions about it.
type reading struct {
	keys chan<- byte
	bus  *displaysim.I2C
	x    *displaysim.Expander
}

func (r *reading) Write(question []byte) (int, error) {
	var shown string
	var light bool
	r.bus.Between(func() { shown, light = strings.Join(r.x.LCD.Text(), "|"), r.x.Light() })
	var key byte
	switch q := string(question); {
	case strings.Contains(q, "Is a character display at"):
		key = 'y'
	case strings.Contains(q, "Do you see"):
		key = 'n'
		if _, text, _ := strings.Cut(q, `"`); strings.Contains(shown, text[:strings.Index(text, `"`)]) {
			key = 'y'
		}
	case strings.Contains(q, "light"):
		key = map[bool]byte{true: 'y', false: 'n'}[light]
	case strings.Contains(q, "How many rows"):
		key = '2'
		if strings.Contains(shown, "4 4 4 4") {
			key = '4'
		}
	default:
		return len(question), nil
	}
	go func() { r.keys <- key }()
	return len(question), nil
}
