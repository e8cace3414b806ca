package hd44780_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"smartkiosk/device/display"
	"smartkiosk/device/display/hd44780"
)

// trace is a bus of pins. For each falling edge of E it records RS and D7 to D4,
// as the datasheet's examples print them. It also records each wait.
type trace struct {
	levels map[string]gpio.Level
	lines  []string
}

type tracePin struct {
	gpiotest.Pin
	t *trace
}

func (p *tracePin) Out(l gpio.Level) error {
	if p.N == "E" && p.t.levels["E"] && !l {
		bit := map[gpio.Level]string{false: "0", true: "1"}
		line := bit[p.t.levels["RS"]] + " "
		for _, d := range []string{"D7", "D6", "D5", "D4"} {
			line += bit[p.t.levels[d]]
		}
		p.t.lines = append(p.t.lines, line)
	}
	p.t.levels[p.N] = l
	return nil
}

func (t *trace) wait(d time.Duration) {
	if d > time.Microsecond {
		t.lines = append(t.lines, d.String())
	}
}

func (t *trace) pins() hd44780.Pins {
	pin := func(n string) gpio.PinOut { return &tracePin{gpiotest.Pin{N: n}, t} }
	return hd44780.Pins{RS: pin("RS"), E: pin("E"), D: [4]gpio.PinOut{pin("D4"), pin("D5"), pin("D6"), pin("D7")}}
}

func (t *trace) take() string {
	s := strings.Join(t.lines, "\n")
	t.lines = nil
	return s
}

// TestInitialization checks figure 24, then function set, entry mode and return
// home. The figure clears the display where the driver returns home: see
// LCD.Start.
func TestInitialization(t *testing.T) {
	tr := &trace{levels: map[string]gpio.Level{}}
	bus, err := hd44780.NewGPIO(tr.pins(), tr.wait)
	if err != nil {
		t.Fatal(err)
	}
	lcd, err := hd44780.New(bus, 2, 16, hd44780.A00)
	if err != nil {
		t.Fatal(err)
	}
	if err := lcd.Start(); err != nil {
		t.Fatal(err)
	}
	if got, want := tr.take(), strings.TrimSpace(`
50ms
0 0011
6ms
0 0011
150µs
0 0011
150µs
0 0010
150µs
0 0010
0 1000
58µs
0 0000
0 0110
58µs
0 0000
0 0010
58µs
2.2ms`); got != want {
		t.Errorf("Start sends\n%s\nwant\n%s", got, want)
	}
}

// TestExamples checks examples of the datasheet: "H" of table 12 (4-bit
// operation), the address of the second line in table 13, and a letter as in
// table 5, here å instead of R.
func TestExamples(t *testing.T) {
	tr := &trace{levels: map[string]gpio.Level{}}
	bus, err := hd44780.NewGPIO(tr.pins(), tr.wait)
	if err != nil {
		t.Fatal(err)
	}
	lcd, err := hd44780.New(bus, 2, 16, hd44780.A00)
	if err != nil {
		t.Fatal(err)
	}
	text, err := display.NewText(lcd)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		step string
		do   func() error
		want string
	}{
		{"H on the first line, after the second line was written",
			func() error { return text.Show(display.Frame{Rows: []string{"H"}}) },
			"0 1000,0 0000,58µs," + // set DDRAM address 0
				"1 0100,1 1000,58µs"}, // table 12, step 6: H
		{"nothing new",
			func() error { return text.Show(display.Frame{Rows: []string{"H"}}) },
			""},
		{"I after it",
			func() error { return text.Show(display.Frame{Rows: []string{"HI"}}) },
			"1 0100,1 1001,58µs"},
		{"M on the second line",
			func() error { return text.Show(display.Frame{Rows: []string{"HI", "M"}}) },
			"0 1100,0 0000,58µs," + // table 13, step 9: set DDRAM address 40
				"1 0100,1 1101,58µs"},
		{"a letter of CGRAM",
			func() error { return text.Show(display.Frame{Rows: []string{"HI", "Må"}}) },
			"0 0100,0 0000,58µs," + // set CGRAM address 0
				"1 0000,1 0100,58µs,1 0000,1 1010,58µs,1 0000,1 1110,58µs,1 0000,1 0001,58µs," +
				"1 0000,1 1111,58µs,1 0001,1 0001,58µs,1 0000,1 1111,58µs,1 0000,1 0000,58µs," +
				"0 1100,0 0001,58µs," +
				"1 0000,1 0000,58µs"},
	} {
		tr.take()
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(tr.take(), "\n", ","); got != tt.want {
			t.Errorf("%s: sends\n%s\nwant\n%s", tt.step, got, tt.want)
		}
	}
}

// TestBackpack plays back the bytes that a PCF8574 receives: P7 to P4 data, P3
// light, P2 E, P0 RS.
func TestBackpack(t *testing.T) {
	init := []i2ctest.IO{
		// Before the first nibble, RS and R/W go low together with E.
		{Addr: 0x27, W: []byte{0x08, 0x3c, 0x38}},
		{Addr: 0x27, W: []byte{0x3c, 0x38}},
		{Addr: 0x27, W: []byte{0x3c, 0x38}},
		{Addr: 0x27, W: []byte{0x2c, 0x28}},
		{Addr: 0x27, W: []byte{0x2c, 0x28, 0x8c, 0x88, 0x0c, 0x08, 0x6c, 0x68, 0x0c, 0x08, 0x2c, 0x28}},
	}
	// 32 spaces in both lines, with the address of the second line between.
	var blank []byte
	blank = append(blank, 0x29)
	for range 16 {
		blank = append(blank, 0x2d, 0x29, 0x0d, 0x09)
	}
	blank = append(blank, 0x08, 0xcc, 0xc8, 0x0c, 0x08, 0x09)
	for range 16 {
		blank = append(blank, 0x2d, 0x29, 0x0d, 0x09)
	}
	blank = append(blank, 0x08, 0x0c, 0x08, 0xcc, 0xc8) // display on
	bus := &i2ctest.Playback{DontPanic: true, Ops: append(init,
		i2ctest.IO{Addr: 0x27, W: blank},
		i2ctest.IO{Addr: 0x27, W: []byte{0x8c, 0x88, 0x0c, 0x08, 0x09, 0x4d, 0x49, 0x8d, 0x89}}, // address 0, H
		i2ctest.IO{Addr: 0x27, R: []byte{0x81}},                                                 // as written, except the light
		i2ctest.IO{Addr: 0x27, R: []byte{0xff}},                                                 // as after a loss of power
	)}
	var waits []time.Duration
	backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, func(d time.Duration) { waits = append(waits, d) })
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
	if want := "[50ms 6ms 150µs 150µs 150µs 2.2ms]"; fmt.Sprint(waits) != want {
		t.Errorf("waits %v, want %s", waits, want)
	}
	if err := text.Show(display.Frame{Rows: []string{"H"}}); err != nil {
		t.Fatal(err)
	}
	if err := text.Check(); !errors.Is(err, display.ErrBlind) {
		t.Errorf("an expander as it was left: %v", err)
	}
	if err := text.Check(); err == nil || err.Error() != "PCF8574(0x27) has lost its state: R/W or E is high, pins are 11111111" {
		t.Errorf("an expander that lost its power: %v", err)
	}
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	pin := func(n string) gpio.PinOut { return &gpiotest.Pin{N: n} }
	good := hd44780.Pins{RS: pin("RS"), E: pin("E"), D: [4]gpio.PinOut{pin("D4"), pin("D5"), pin("D6"), pin("D7")}}
	missing, twice := good, good
	missing.D[2] = nil
	twice.E = twice.RS
	bus, err := hd44780.NewGPIO(good, func(time.Duration) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := hd44780.NewGPIO(missing, nil); return err }, "cannot use display: each of RS, E and D4 to D7 needs a pin"},
		{func() error { _, err := hd44780.NewGPIO(twice, nil); return err }, "cannot use display: pin RS is named twice"},
		{func() error { _, err := hd44780.New(bus, 3, 16, 0); return err }, "cannot drive 3 rows of 16: the HD44780 has 2 of up to 40 or 4 of up to 20"},
		{func() error { _, err := hd44780.New(bus, 4, 40, 0); return err }, "cannot drive 4 rows of 40: the HD44780 has 2 of up to 40 or 4 of up to 20"},
		{func() error { _, err := hd44780.New(bus, 2, 0, 0); return err }, "cannot drive 2 rows of 0: the HD44780 has 2 of up to 40 or 4 of up to 20"},
		{func() error { _, err := hd44780.New(bus, 2, 16, 3); return err }, "unknown ROM 3"},
		{func() error { _, err := hd44780.NewBackpack(nil, 0x28, hd44780.Common, nil); return err }, "cannot use display: the address of a PCF8574 is 0x20 to 0x27, of a PCF8574A 0x38 to 0x3f, not 0x28"},
	} {
		if err := tt.do(); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
