//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
	"smartkiosk/device/display/oled"
	"smartkiosk/device/keypad"
)

// panelBench is a panel with a wiring file, and a simulated person in front of it.
type panelBench struct {
	program
	file   string
	stdout bytes.Buffer
	shown  transcript
	keys   io.WriteCloser
	done   chan error
}

// newPanelBench writes a wiring file.
func newPanelBench(t *testing.T, m machine, wiring string) *panelBench {
	t.Helper()
	file := filepath.Join(t.TempDir(), "board.toml")
	if err := os.WriteFile(file, []byte("name = \"Bench\"\n"+wiring), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, keys := io.Pipe()
	t.Cleanup(func() { keys.Close() })
	b := &panelBench{file: file, keys: keys, done: make(chan error, 1)}
	b.shown.changed.L = &b.shown.mu
	b.program = program{machine: m, stdin: stdin, stdout: &b.stdout, stderr: &b.shown}
	return b
}

// test starts "kioskctl panel test".
func (b *panelBench) test(ctx context.Context, args ...string) {
	go func() {
		b.done <- b.run(ctx, append([]string{"panel", "test", "--board", b.file}, args...))
		b.shown.Write([]byte("(ended)"))
	}()
}

// expect waits until a text is shown after the previously expected text.
func (b *panelBench) expect(t *testing.T, text string) {
	t.Helper()
	if before, ok := b.shown.wait(text); !ok {
		t.Fatalf("no %q in %q", text, before)
	}
}

// answer presses a key when the question is shown.
func (b *panelBench) answer(t *testing.T, question, key string) {
	t.Helper()
	b.expect(t, question)
	b.expect(t, "] ")
	b.press(t, key)
}

func (b *panelBench) press(t *testing.T, key string) {
	t.Helper()
	if _, err := io.WriteString(b.keys, key); err != nil {
		t.Fatal(err)
	}
}

// end waits for the end of the command and checks the error and the report.
func (b *panelBench) end(t *testing.T, want error, report string) {
	t.Helper()
	if err := <-b.done; !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	if _, got, _ := strings.Cut(b.stdout.String(), "Z\n"); got != report {
		t.Errorf("report:\n%s\nwant:\n%s", got, report)
	}
}

// transcript is the text that was shown. Tests can wait for a part of it.
type transcript struct {
	mu      sync.Mutex
	changed sync.Cond
	text    string // the part after the last match
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(b)
	s.changed.Broadcast()
	return len(b), nil
}

// wait consumes the text up to and including text. It returns false when the command
// has ended without it.
func (s *transcript) wait(text string) (before string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if before, after, found := strings.Cut(s.text, text); found {
			s.text = after
			return before, true
		}
		if strings.Contains(s.text, "(ended)") {
			return s.text, false
		}
		s.changed.Wait()
	}
}

// heldPin is a line that another consumer has.
type heldPin struct {
	gpiotest.Pin
	by string
}

func (p *heldPin) Consumer() string { return p.by }

// register registers lines by their names until the test ends.
func register(t *testing.T, pins ...gpio.PinIO) {
	t.Helper()
	for _, p := range pins {
		if err := gpioreg.Register(p); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := gpioreg.Unregister(p.Name()); err != nil {
				t.Error(err)
			}
		})
	}
}

const wholePanel = `
[keypad.matrix]
rows = ["KR1", "KR2", "KR3", "KR4"]
columns = ["KC1", "KC2", "KC3"]
layout = ["123", "456", "789", "*0#"]
[keypad.usb]
match = "Pad"
[display.pcf8574]
bus = "/dev/i2c-1"
address = 0x27
rows = 4
columns = 20
[display.sh1106]
bus = "/dev/i2c-1"
address = 0x3c
[display.dm-d110]
port = "/dev/serial0"
baud = 9600
[buzzer.piezo]
chip = "/sys/class/pwm/pwmchip0"
pin = "GPIO18"
[lamps]
green = "LG"
[tamper]
pin = "TA"
[watchdog]
device = "/dev/watchdog"
timeout = "15s"
`

// TestPanel checks that the state of every kind of part is printed, and that no part is
// opened.
func TestPanel(t *testing.T) {
	register(t, &heldPin{gpiotest.Pin{N: "KR1"}, "kioskd@7"}, &heldPin{gpiotest.Pin{N: "KR2"}, "kioskd@7"},
		&heldPin{gpiotest.Pin{N: "LG"}, "leds"}, &gpiotest.Pin{N: "TA"})
	for _, free := range []string{"KR3", "KR4", "KC1", "KC2", "KC3"} {
		register(t, &heldPin{gpiotest.Pin{N: free}, ""})
	}
	m := zero2W(t)
	m.openBus = func(string) (i2c.BusCloser, error) {
		return fakeBus{t: t, parts: map[uint16][]byte{0x3f: {0xff}, 0x3c: {0x08}}}, nil
	}
	b := newPanelBench(t, m, wholePanel)
	err := b.run(t.Context(), []string{"panel", "--board", b.file})
	want := `Panel            Bench
                 ` + b.file + `
kioskd           runs
keypad.matrix    KR1 KR2 KR3 KR4 KC1 KC2 KC3
                 in use: KR1, KR2 held by kioskd@7
keypad.usb       whose name contains "Pad"
                 there: "SIGMACHIP \"Pad\"" (/dev/input/event1)
display.sh1106   128×64 dots, 0x3c of /dev/i2c-1
                 there: 0x3c answers
display.pcf8574  4×20 letters, 0x27 of /dev/i2c-1
                 fault: nothing answers at 0x27 of /dev/i2c-1, but at 0x3c, 0x3f: is the address right?
display.dm-d110  2×20 letters, /dev/serial0 at 9600 baud
                 unseen: /dev/serial0 is there
buzzer.piezo     channel 0 of /sys/class/pwm/pwmchip0, GPIO18
                 unseen: /sys/class/pwm/pwmchip0 is there
lamps            LG
                 fault: LG held by leds, not by kioskd: take it from there, or use another line
tamper           TA
                 unseen: its lines are free
watchdog         /dev/watchdog, 15s
                 there: Broadcom BCM2835 Watchdog timer, not running
`
	if got := b.stdout.String(); !errors.Is(err, errPart) || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// TestPanelOnNothing checks that each missing part is reported, with advice.
func TestPanelOnNothing(t *testing.T) {
	m := fakeMachine(t, nil)
	m.pads = func() ([]keypad.Pad, error) { return []keypad.Pad{{Name: "Logitech K120"}}, nil }
	b := newPanelBench(t, m, wholePanel)
	err := b.run(t.Context(), []string{"panel", "--board", b.file, "--json"})
	var r panelReport
	if !errors.Is(err, errPart) || json.Unmarshal(b.stdout.Bytes(), &r) != nil {
		t.Fatalf("%v\n%s", err, b.stdout.String())
	}
	for section, want := range map[string]string{
		"keypad.matrix":   "/dev/gpiochip0",
		"keypad.usb":      `"Logitech K120" has digits, but match does not name it`,
		"display.pcf8574": "no /dev/i2c-1",
		"display.dm-d110": "there is no /dev/serial0: on a Pi, config.txt needs enable_uart=1",
		"buzzer.piezo":    "there is no /sys/class/pwm/pwmchip0: on a Pi, config.txt needs dtoverlay=pwm",
		"watchdog":        "there is no /dev/watchdog: on a Pi, config.txt needs dtparam=watchdog=on",
	} {
		found := false
		for _, p := range r.Parts {
			found = found || p.Section == section && p.State == fault && strings.Contains(p.Why, want)
		}
		if !found {
			t.Errorf("%s: no %q in %+v", section, want, r.Parts)
		}
	}
}

// TestPanelStates checks other faults of parts.
func TestPanelStates(t *testing.T) {
	m := zero2W(t)
	m.openBus = func(string) (i2c.BusCloser, error) { return fakeBus{t: t, stuck: true}, nil }
	m.access = func(path string) error {
		if strings.HasSuffix(path, "ttyUSB9") {
			return fs.ErrPermission
		}
		return fs.ErrNotExist
	}
	m.pads = func() ([]keypad.Pad, error) { return nil, errors.New("cannot look into /dev/input/event0") }
	if err := os.WriteFile(m.path("sys/class/watchdog/watchdog0/state"), []byte("active\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		part        board.Part
		state, want string
	}{
		{&board.PCF8574{Bus: "/dev/i2c-1", Address: 0x27}, fault, "/dev/i2c-1: the bus is stuck: is SDA or SCL shorted"},
		{&board.LK204{Serial: board.Serial{Port: "/dev/serial/by-id/x"}}, fault, "is its adapter plugged in?"},
		{&board.SerLCD{Serial: board.Serial{Port: "/dev/ttyUSB9"}}, fault, "is this user in the group dialout?"},
		{&board.USB{}, fault, "cannot look into /dev/input/event0"},
		{&board.Watchdog{Device: "/dev/watchdog0"}, there, "Broadcom BCM2835 Watchdog timer, running: kioskd has it, or systemd"},
		{&board.Watchdog{Device: "/dev/watchdog1"}, fault, "there is no /dev/watchdog1"},
	} {
		if state, why := m.look(c.part); state != c.state || !strings.Contains(why, c.want) {
			t.Errorf("%s: %s: %s, want %s: %s", c.part.Section(), state, why, c.state, c.want)
		}
	}
	m.openBus = func(string) (i2c.BusCloser, error) { return fakeBus{t: t}, nil }
	if _, why := m.look(&board.OLED{Chip: oled.SH1106, Bus: "/dev/i2c-1", Address: 0x3c}); !strings.Contains(why, "nothing answers at 0x3c of /dev/i2c-1: is it plugged in, and are SDA and SCL swapped?") {
		t.Error(why)
	}
}

// TestPanelFindsItsWiring checks that the wiring file is found through kioskd.toml, and
// with it whether kioskd runs.
func TestPanelFindsItsWiring(t *testing.T) {
	b := newPanelBench(t, fakeMachine(t, nil), "[keypad.usb]\n")
	config := filepath.Join(filepath.Dir(b.file), "kioskd.toml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id = \"k1\"\nstate = \"state\"\n[panel]\nboard = \"board.toml\"\n")
	if err := os.Mkdir(filepath.Join(filepath.Dir(b.file), "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	kioskd, err := net.Listen("unix", filepath.Join(filepath.Dir(b.file), "state", "kioskd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	err = b.run(t.Context(), []string{"panel", "--config", config})
	if !errors.Is(err, errPart) || !strings.Contains(b.stdout.String(), "kioskd           runs\nkeypad.usb       any number pad\n                 fault: no number pad is plugged in\n") {
		t.Errorf("%v\n%s", err, b.stdout.String())
	}
	err = b.run(t.Context(), []string{"panel", "test", "--config", config})
	if err == nil || !strings.Contains(err.Error(), "kioskd runs, and has the panel: stop it first (sudo systemctl stop kioskd)") {
		t.Errorf("%v", err)
	}
	kioskd.Close()
	b.stdout.Reset()
	if err := b.run(t.Context(), []string{"panel", "--config", config}); !errors.Is(err, errPart) || !strings.Contains(b.stdout.String(), "kioskd           does not run\n") {
		t.Errorf("%v\n%s", err, b.stdout.String())
	}
	write("id = \"k1\"\n[panel]\nlisten = \"127.0.0.1:8080\"\n")
	if err := b.run(t.Context(), []string{"panel", "--config", config}); err == nil || !strings.Contains(err.Error(), "names no wiring file: its panel is a web page") {
		t.Errorf("%v", err)
	}
	if err := b.run(t.Context(), []string{"panel", "--config", config + ".old"}); err == nil || !strings.Contains(err.Error(), `"kioskctl panel detect" proposes one`) {
		t.Errorf("%v", err)
	}
}

func TestPanelUsage(t *testing.T) {
	b := newPanelBench(t, fakeMachine(t, nil), "[keypad.usb]\n")
	for _, args := range []string{
		"panel eject", "panel --pin 1", "panel --json extra", "panel detect extra", "panel test --pin",
		"panel test --board " + b.file + " speaker", "panel test --board " + b.file + " --config x", "panel test keypad.matrix --board " + b.file,
	} {
		if err := b.run(t.Context(), strings.Fields(args)); !errors.Is(err, cli.ErrUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
