//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// lamp is a line whose level other goroutines can read.
type lamp struct {
	gpiotest.Pin
	on    atomic.Bool
	times atomic.Int32 // how often it was switched on
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
		b.press(t, "xy") // a wrong key changes nothing
		b.expect(t, "Is the red lamp lit, and no other?")
		if green.on.Load() || !red.on.Load() {
			t.Error("not the red lamp")
		}
		b.expect(t, "q] ")
		time.Sleep(answerWithin) // no answer
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
	register(t, &deadPin{gpiotest.Pin{N: "LG"}}, &deadPin{gpiotest.Pin{N: "BZ"}}, &gpiotest.Pin{N: "TA"}, &heldPin{gpiotest.Pin{N: "LR"}, "kioskd@7"})
	m := fakeMachine(t, map[string]string{"sys/class/pwm/pwmchip0/npwm": "2"})
	for wiring, want := range map[string]string{
		"[lamps]\ngreen = \"LG\"\n":                                   "cannot use pin LG: its chip is gone: line lost",
		"[buzzer.active]\npin = \"BZ\"\n":                             "cannot open buzzer: cannot use pin BZ: its chip is gone: line lost",
		"[tamper]\npin = \"TA\"\n":                                    "cannot open tamper switch: cannot use pin TA", // the line reports no edges
		"[display.lk204]\nport = \"/dev/null\"\nbaud = 19200\n":       "cannot open serial port /dev/null",
		"[keypad.usb]\n":                                              "no number pad is plugged in",
		"[lamps]\nred = \"LR\"\n":                                     "LR held by kioskd@7: stop it first (sudo systemctl stop kioskd)\n",
		"[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"15s\"\n": "there is no /dev/watchdog: on a Pi, config.txt needs dtparam=watchdog=on\n",
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

// TestTryInterrupted checks that Ctrl-C switches everything off, and that the results
// so far are reported.
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

// housing is a line with the tamper switch of a housing.
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
		h.open.Store(true) // open, as it is when the switch is wired
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
