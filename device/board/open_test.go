package board

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"smartkiosk/device/cue"
	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/oled"
	"smartkiosk/device/keypad"
	"smartkiosk/device/keypad/keypadsim"
	"smartkiosk/device/line"
)

func register(t *testing.T, pins ...gpio.PinIO) {
	t.Helper()
	for _, pin := range pins {
		if err := gpioreg.Register(pin); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = gpioreg.Unregister(pin.Name()) })
	}
}

// named gives a line of a model a name of this board.
type named struct {
	gpiotest.Pin
	to gpio.PinOut
}

func (n *named) Out(l gpio.Level) error { return n.to.Out(l) }

// Every display works as its section says, on a simulated part.
func TestOpenDisplays(t *testing.T) {
	clock := &displaysim.Clock{}
	onPins, onBus := displaysim.NewHD44780(2, 16, clock), displaysim.NewHD44780(4, 20, clock)
	wires := &displaysim.Wires{LCD: onPins}
	for line, pin := range map[string]string{"GPIO7": "RS", "GPIO8": "E", "GPIO25": "D4", "GPIO24": "D5", "GPIO23": "D6", "GPIO10": "D7"} {
		register(t, &named{gpiotest.Pin{N: line}, wires.Pin(pin)})
	}
	dots := displaysim.NewOLED("SH1106")
	for name, bus := range map[string]*displaysim.I2C{
		"/dev/i2c-1": {Address: 0x27, Target: displaysim.NewExpander(onBus), Hertz: 100000, Clock: clock},
		"/dev/i2c-2": {Address: 0x3d, Target: dots, Hertz: 400000, Clock: clock},
	} {
		if err := i2creg.Register(name, nil, -1, func() (i2c.BusCloser, error) { return busCloser{bus}, nil }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = i2creg.Unregister(name) })
	}
	for _, tt := range []struct {
		section Display
		shows   func() string
	}{
		{&HD44780{Rows: 2, Columns: 16, RS: "GPIO7", E: "GPIO8", Data: []string{"GPIO25", "GPIO24", "GPIO23", "GPIO10"}},
			func() string { return onPins.Text()[0] }},
		{&PCF8574{Bus: "/dev/i2c-1", Address: 0x27, Rows: 4, Columns: 20, ROM: "a00"},
			func() string { return onBus.Text()[0] }},
		{&OLED{Chip: oled.SH1106, Bus: "/dev/i2c-2", Address: 0x3d}, func() string {
			if len(dots.Written) > 0 && len(dots.Faults) == 0 {
				return "blåbær"
			}
			return "nothing"
		}},
	} {
		device, err := tt.section.Open()
		if err != nil {
			t.Errorf("%s: %v", tt.section.Section(), err)
			continue
		}
		if err := device.Show(display.Frame{Rows: []string{"blåbær"}, Layout: tt.section.Form().Layout}); err != nil {
			t.Error(err)
		}
		if got := strings.TrimSpace(tt.shows()); got != "blåbær" {
			t.Errorf("%s shows %q", tt.section.Section(), got)
		}
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}

type busCloser struct{ *displaysim.I2C }

func (busCloser) Close() error { return nil }

func TestOpenMatrix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Matrix{Rows: []string{"GPIO5", "GPIO6", "GPIO13", "GPIO19"}, Columns: []string{"GPIO12", "GPIO16", "GPIO20"}, Layout: []string{"123", "456", "789", "*0#"}}
		contacts := keypadsim.New(m.Rows, m.Columns)
		for _, wire := range slices.Concat(contacts.Rows, contacts.Cols) {
			register(t, wire)
		}
		k, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if e := <-k.Events(); e.Kind != keypad.Found {
			t.Error(e)
		}
		<-time.After(time.Second) // keys that are down at the start do not count
		contacts.Set(10, true)
		if key := <-k.Keys(); key != '0' {
			t.Errorf("key %c", key)
		}
	})
}

// Outputs are off after they are opened, whichever level that is.
func TestOpenOutputs(t *testing.T) {
	pins := map[string]*gpiotest.Pin{}
	for _, name := range []string{"GPIO17", "GPIO22", "GPIO23", "GPIO25"} {
		pins[name] = &gpiotest.Pin{N: name, L: gpio.High, EdgesChan: make(chan gpio.Level)}
		register(t, pins[name])
	}
	lamps, err := (&Lamps{Green: "GPIO17", Red: "GPIO22", ActiveLow: true}).Open()
	if err != nil || pins["GPIO17"].Read() != gpio.High {
		t.Fatal("lamps: ", err)
	}
	if err := lamps.Show(true, true, false); err != nil || pins["GPIO17"].Read() != gpio.Low || pins["GPIO22"].Read() != gpio.High {
		t.Errorf("lamps: %v", err)
	}
	buzzer, err := (&Active{Pin: "GPIO23"}).Open()
	if err != nil || pins["GPIO23"].Read() != gpio.Low {
		t.Fatal("buzzer: ", err)
	}
	if err := buzzer.Close(); err != nil {
		t.Error(err)
	}
	tamper, err := (&Tamper{Pin: "GPIO25"}).Open()
	if err != nil {
		t.Fatal(err)
	}
	if s := <-tamper.States(); s != cue.Opened { // pull-up only, without a switch
		t.Error(s)
	}
	if err := tamper.Close(); err != nil {
		t.Error(err)
	}
	for name, low := range map[string]bool{"GPIO23": false, "GPIO23" + activeLow: true} {
		o, err := strikeLine(name)
		if err != nil || o.ActiveLow != low || o.Pin.Name() != "GPIO23" {
			t.Errorf("the guardian of %q: %+v, %v", name, o, err)
		}
	}
}

func TestOpenPiezo(t *testing.T) {
	chip := t.TempDir()
	if err := os.Mkdir(filepath.Join(chip, "pwm1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"duty_cycle", "period", "enable"} {
		if err := os.WriteFile(filepath.Join(chip, "pwm1", file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := (&Piezo{Chip: chip, Channel: 1}).Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if enable, err := os.ReadFile(filepath.Join(chip, "pwm1", "enable")); err != nil || string(enable) != "0" {
		t.Errorf("enable is %q, %v", enable, err)
	}
}

// The error for a missing device says where to look.
func TestOpenNothing(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	open := func(d Display) error { _, err := d.Open(); return err }
	for _, tt := range []struct {
		name string
		err  error
		want string
		is   error
	}{
		{"a bus", open(&PCF8574{Bus: nowhere, Address: 0x27, Rows: 2, Columns: 16}),
			"open " + nowhere + ": no such file or directory: on a Pi, config.txt must have dtparam=i2c_arm=on, and the module i2c-dev must be loaded", fs.ErrNotExist},
		{"a port", open(&DMD110{Serial{nowhere, 9600}}), "cannot open serial port " + nowhere + " at 9600 baud: open " + nowhere + ": no such file or directory", fs.ErrNotExist},
		{"a watchdog", func() error {
			_, err := (&Watchdog{nowhere, Duration{15 * time.Second}}).Open("part")
			return err
		}(), "cannot open watchdog: the device is missing (on a Pi, config.txt needs dtparam=watchdog=on): open " + nowhere + ": no such file or directory", fs.ErrNotExist},
		{"a line", func() error {
			register(t, &gpiotest.Pin{N: "GPIO2"})
			_, err := (&Active{Pin: "GPIO99"}).Open()
			return err
		}(), "cannot find pin GPIO99: this machine has GPIO2 to GPIO2: no such line", line.ErrUnknown},
	} {
		if tt.err == nil || tt.err.Error() != tt.want || !errors.Is(tt.err, tt.is) {
			t.Errorf("%s: %v, want %s", tt.name, tt.err, tt.want)
		}
	}
}
