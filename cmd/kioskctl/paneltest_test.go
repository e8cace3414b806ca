//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"smartkiosk/device/board"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/keypad"
	"smartkiosk/device/keypad/keypadsim"
)

const padWiring = `
[keypad.matrix]
rows = ["KR1", "KR2", "KR3", "KR4"]
columns = ["KC1", "KC2", "KC3"]
layout = ["123", "456", "789", "*0#"]
`

// pad is a keypad on lines, with the keys of padWiring.
type pad struct{ *keypadsim.Contacts }

func newPad(t *testing.T) pad {
	p := pad{keypadsim.New([]string{"KR1", "KR2", "KR3", "KR4"}, []string{"KC1", "KC2", "KC3"})}
	for _, w := range slices.Concat(p.Rows, p.Cols) {
		register(t, w)
	}
	t.Cleanup(func() {
		for _, fault := range p.Faults() {
			t.Error(fault)
		}
	})
	return p
}

func (p pad) hold(key rune, down bool) { p.Set(strings.IndexRune("123456789*0#", key), down) }

// press is a key as a person presses it, in a synctest bubble.
func (p pad) press(key rune) {
	time.Sleep(100 * time.Millisecond) // nobody is quicker than the first scan
	p.hold(key, true)
	time.Sleep(100 * time.Millisecond)
	p.hold(key, false)
}

func TestTryKeypad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "keypad.matrix: KR1 KR2 KR3 KR4 KC1 KC2 KC3\n  Type no PIN: what is pressed is shown. Hands off for 2s.\n")
		b.press(t, "s") // before it is asked for: it does not count
		b.expect(t, "Press every key, one at a time; [s] if one gives nothing. Missing: 1 2 3 4 5 6 7 8 9 * 0 #\n")
		for _, key := range "1234567890*" {
			c.press(key)
			b.expect(t, "  "+string(key)+"   missing: ")
		}
		c.press('#')
		b.expect(t, "  #   missing: none\n  right\n")
		b.end(t, nil, `keypad.matrix    right
                 no key is down by itself
                 every key was pressed
`)
	})
}

// TestTryKeypadWithACutWire: the keys that are missing tell the wire.
func TestTryKeypadWithACutWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		for _, key := range "134679*#" { // not the middle column
			c.press(key)
			b.expect(t, "  "+string(key)+"   missing: ")
		}
		b.press(t, "s")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 no key is down by itself
                 no key 2 5 8 0: look at the wire of column 2 (KC2)
`)
	})
}

// TestTryKeypadThatIsStuck: a key is down that nobody presses.
func TestTryKeypadThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		c.hold('5', true)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		time.Sleep(100 * time.Millisecond)
		c.hold('6', true) // and another beside it
		b.expect(t, "Two keys at once. If you pressed one, two wires touch.\n")
		c.hold('6', false)
		time.Sleep(100 * time.Millisecond)
		b.press(t, "q")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 keys are down that nobody presses: stuck, wet, or wires touch
                 stopped: not pressed: 1 2 3 4 5 6 7 8 9 * 0 #
`)
	})
}

// TestTryKeypadWithAShortCircuit: a column that lies at a row.
func TestTryKeypadWithAShortCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		for _, key := range "369#" {
			c.hold(key, true)
		}
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		b.press(t, "q")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 every key of column KC3 is down: look for a short circuit
                 stopped: not pressed: 1 2 3 4 5 6 7 8 9 * 0 #
`)
	})
}

func TestTryKeypadThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		c.press('1')
		b.expect(t, "  1   missing: ")
		c.Lose(true)
		b.expect(t, "  wrong\n  no key is down by itself\n  lost: ")
		if err := <-b.done; !errors.Is(err, errNotRight) {
			t.Error(err)
		}
	})
}

func TestTryKeypadWithNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.end(t, errNotRight, `keypad.matrix    wrong
                 no key is down by itself
                 no key 1 2 3 4 5 6 7 8 9 * 0 #: look at the wire of row 1 (KR1), row 2 (KR2), row 3 (KR3), row 4 (KR4), column 1 (KC1), column 2 (KC2), column 3 (KC3)
`)
	})
}

func TestSuspect(t *testing.T) {
	m := &board.Matrix{Rows: []string{"R1", "R2", "R3", "R4"}, Columns: []string{"C1", "C2", "C3", "C4"}, Layout: keypad.Layout4x4}
	for missing, want := range map[string]string{
		"5":    "try again; if they stay missing they are worn",
		"456":  "look at the wire of row 2 (R2)",
		"L":    "look at the wire of column 4 (C4)",
		"369#": "look at the wire of column 3 (C3)",
	} {
		if got := suspect(m, []rune(missing)); got != want {
			t.Errorf("%s: %q, want %q", missing, got, want)
		}
	}
	if got := suspect(&board.USB{}, []rune("5")); !strings.Contains(got, "worn") {
		t.Error(got)
	}
}

// i2cBus is a simulated bus in periph's register.
type i2cBus struct{ *displaysim.I2C }

func (i2cBus) Close() error { return nil }

func registerBus(t *testing.T, bus *displaysim.I2C) {
	t.Helper()
	if err := i2creg.Register("/dev/i2c-1", nil, -1, func() (i2c.BusCloser, error) { return i2cBus{bus}, nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i2creg.Unregister("/dev/i2c-1"); err != nil {
			t.Error(err)
		}
	})
}

func TestTryDisplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		lcd := displaysim.NewHD44780(4, 20, clock)
		bus := &displaysim.I2C{Address: 0x27, Target: displaysim.NewExpander(lcd), Hertz: 100000, Clock: clock}
		registerBus(t, bus)
		glass := func() (text string) {
			synctest.Wait() // until the keeper has written
			bus.Between(func() { text = strings.Join(lcd.Text(), "|") })
			return text
		}
		m := fakeMachine(t, nil)
		m.openBus = board.OpenI2C
		b := newPanelBench(t, m, "[display.pcf8574]\nbus = \"/dev/i2c-1\"\naddress = 0x27\nrows = 4\ncolumns = 20\n")
		b.test(t.Context())
		for _, step := range []struct{ question, glass string }{
			{"  Do you see ÆØÅ æøå? [y n r s q] ", "ÆØÅ æøå             |blåbærøl            |                    |                    "},
			{"  Do you see á č đ ŋ š ŧ ž, at least without their marks? [y n r s q] ", "áčđŋšŧž             |Sámegiella          |                    |                    "},
			{"  Do you see rows 1 to 4, each up to < at the right edge? [y n r s q] ", "1>-----------------<|2>-----------------<|3>-----------------<|4>-----------------<"},
		} {
			b.expect(t, step.question)
			if got := glass(); got != step.glass {
				t.Errorf("%s: the glass shows\n%s\nwant\n%s", step.question, got, step.glass)
			}
			b.press(t, "y")
		}
		b.end(t, nil, `display.pcf8574  right
                 0x27 answers
                 asked, it answers as it should
                 ÆØÅ æøå are seen
                 áčđŋšŧž are seen, or letters that look alike
                 every place of the glass shows
`)
		if got := strings.Trim(glass(), " |"); got != "" {
			t.Errorf("left %q on the glass", got)
		}
	})
}

func TestTryDisplayThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		bus := &displaysim.I2C{Address: 0x3c, Target: displaysim.NewSH1106(), Hertz: 400000, Clock: clock}
		registerBus(t, bus)
		m := fakeMachine(t, nil)
		m.openBus = board.OpenI2C
		b := newPanelBench(t, m, "[display.sh1106]\nbus = \"/dev/i2c-1\"\naddress = 0x3c\n")
		b.test(t.Context())
		b.answer(t, "ÆØÅ", "y")
		b.expect(t, "š")
		synctest.Wait()
		bus.Unplug()
		time.Sleep(time.Minute)
		b.press(t, "y")
		b.end(t, errNotRight, `display.sh1106   wrong
                 0x3c answers
                 asked, it answers as it should
                 ÆØÅ æøå are seen
                 áčđŋšŧž are seen, or letters that look alike
                 while it showed this: no answer from SH1106(0x3c): no acknowledge
`)
	})
}

// TestTryOLEDEdges: the line along the edges is what tells the two chips apart.
func TestTryOLEDEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		oled := displaysim.NewSSD1306()
		bus := &displaysim.I2C{Address: 0x3c, Target: oled, Hertz: 400000, Clock: clock}
		registerBus(t, bus)
		m := fakeMachine(t, nil)
		m.openBus = board.OpenI2C
		b := newPanelBench(t, m, "[display.ssd1306]\nbus = \"/dev/i2c-1\"\naddress = 0x3c\n")
		b.test(t.Context())
		b.answer(t, "ÆØÅ", "y")
		b.answer(t, "š", "y")
		b.expect(t, "Is there a thin line along all four edges?")
		synctest.Wait()
		bus.Between(func() {
			dots := oled.Dots()
			for _, at := range [][2]int{{0, 0}, {127, 0}, {0, 63}, {127, 63}, {64, 0}, {0, 32}} {
				if !dots.BitAt(at[0], at[1]) {
					t.Errorf("dot %v is dark", at)
				}
			}
			if dots.BitAt(1, 1) || dots.BitAt(64, 32) {
				t.Error("the inside is lit")
			}
		})
		b.press(t, "n")
		b.end(t, errNotRight, `display.ssd1306  wrong
                 0x3c answers
                 asked, it answers as it should
                 ÆØÅ æøå are seen
                 áčđŋšŧž are seen, or letters that look alike
                 not so: every place of the glass shows; if it is shifted by two dots: display.sh1106 in place of display.ssd1306
`)
	})
}

// lamp is a line whose level can be looked at from elsewhere.
type lamp struct {
	gpiotest.Pin
	on    atomic.Bool
	times atomic.Int32 // that it was switched on
}

func (l *lamp) Out(level gpio.Level) error {
	if bool(level) && !l.on.Load() {
		l.times.Add(1)
	}
	l.on.Store(bool(level))
	return nil
}

func TestTryLampsAndBuzzer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		green, red, buzzer := &lamp{Pin: gpiotest.Pin{N: "LG"}}, &lamp{Pin: gpiotest.Pin{N: "LR"}}, &lamp{Pin: gpiotest.Pin{N: "BZ"}}
		register(t, green, red, buzzer)
		b := newPanelBench(t, fakeMachine(t, nil), "[buzzer.active]\npin = \"BZ\"\n[lamps]\ngreen = \"LG\"\nred = \"LR\"\n")
		b.test(t.Context(), "--json")
		b.expect(t, "buzzer.active: BZ\n  Did it beep twice? [y n r s q] ")
		time.Sleep(time.Second)
		if n := buzzer.times.Load(); n != 2 {
			t.Errorf("%d beeps", n)
		}
		b.press(t, "r")
		b.expect(t, "Did it beep twice?")
		time.Sleep(time.Second)
		if n := buzzer.times.Load(); n != 4 || buzzer.on.Load() {
			t.Errorf("%d beeps", n)
		}
		b.press(t, "y")
		b.expect(t, "Is the green lamp lit, and no other?")
		if !green.on.Load() || red.on.Load() {
			t.Error("not the green lamp")
		}
		b.press(t, "xy") // a slip changes nothing
		b.expect(t, "Is the red lamp lit, and no other?")
		if green.on.Load() || !red.on.Load() {
			t.Error("not the red lamp")
		}
		b.expect(t, "q] ")
		time.Sleep(answerWithin) // nobody answers
		b.expect(t, "no answer\n")
		if err := <-b.done; err == nil {
			t.Error("right without an answer")
		}
		if green.on.Load() || red.on.Load() {
			t.Error("left a lamp lit")
		}
		var r testReport
		if err := json.Unmarshal(b.stdout.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, b.stdout.String())
		}
		if r.Right || r.Name != "Bench" || !r.Begun.Equal(b.machine.now()) || r.Parts[0].Result != right || r.Parts[1].Result != untried ||
			strings.Join(r.Parts[1].Notes, "|") != "green lights alone|no answer: red lights alone" {
			t.Errorf("%s", b.stdout.String())
		}
	})
}

// deadPin is a line that cannot be switched.
type deadPin struct{ gpiotest.Pin }

func (*deadPin) Out(gpio.Level) error { return syscall.ENODEV }

func TestTryWhatCannotBeOpened(t *testing.T) {
	register(t, &deadPin{gpiotest.Pin{N: "LG"}}, &deadPin{gpiotest.Pin{N: "BZ"}}, &gpiotest.Pin{N: "TA"})
	m := fakeMachine(t, map[string]string{"sys/class/pwm/pwmchip0/npwm": "2"})
	for wiring, want := range map[string]string{
		"[lamps]\ngreen = \"LG\"\n":                             "cannot use pin LG: its chip is gone: line lost",
		"[buzzer.active]\npin = \"BZ\"\n":                       "cannot open buzzer: cannot use pin BZ: its chip is gone: line lost",
		"[tamper]\npin = \"TA\"\n":                              "cannot open tamper switch: cannot use pin TA", // no edges
		"[display.lk204]\nport = \"/dev/null\"\nbaud = 19200\n": "cannot open serial port /dev/null",
		"[keypad.usb]\n":                                        "no number pad is plugged in",
	} {
		m := m
		m.access = func(string) error { return nil }
		b := newPanelBench(t, m, wiring)
		b.test(t.Context())
		if err := <-b.done; !errors.Is(err, errNotRight) || !strings.Contains(b.stdout.String(), "wrong\n                 "+want) {
			t.Errorf("%s: %v\n%s", wiring, err, b.stdout.String())
		}
	}
}

// TestTryInterrupted: Ctrl-C leaves all off, and what was found is reported.
func TestTryInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		green := &lamp{Pin: gpiotest.Pin{N: "LG"}}
		register(t, green)
		ctx, interrupt := context.WithCancel(t.Context())
		b := newPanelBench(t, fakeMachine(t, nil), "[lamps]\ngreen = \"LG\"\n[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"15s\"\n")
		b.test(ctx)
		b.expect(t, "Is the green lamp lit, and no other?")
		interrupt()
		b.end(t, errNotRight, `lamps            not tested
                 stopped: green lights alone
watchdog         not tested
                 the test was stopped before
`)
		if green.on.Load() {
			t.Error("left the lamp lit")
		}
	})
}

// housing is a line with a switch at its end.
type housing struct {
	gpiotest.Pin
	open atomic.Bool
}

func (h *housing) Read() gpio.Level { return gpio.Level(h.open.Load()) }

func (h *housing) set(open bool) {
	h.open.Store(open)
	h.EdgesChan <- gpio.Level(open)
}

func TestTryTamper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &housing{Pin: gpiotest.Pin{N: "TA", EdgesChan: make(chan gpio.Level, 4)}}
		h.open.Store(true) // whoever wires it has it open
		register(t, h)
		b := newPanelBench(t, fakeMachine(t, nil), "[tamper]\npin = \"TA\"\n")
		b.test(t.Context())
		b.expect(t, "  It says open. Close the housing, or press its switch. [s q]\n")
		h.set(false)
		b.expect(t, "  It says closed. Open the housing, or let go of its switch. [s q]\n")
		h.set(true)
		b.end(t, nil, `tamper           right
                 it tells open from closed
`)

		b = newPanelBench(t, fakeMachine(t, nil), "[tamper]\npin = \"TA\"\n")
		b.test(t.Context())
		b.expect(t, "Close the housing")
		time.Sleep(movedWithin)
		b.end(t, errNotRight, `tamper           wrong
                 it says opened, whatever was done within 1m0s: its wires, and whether the lid reaches it
`)
	})
}
