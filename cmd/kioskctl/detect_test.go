//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/board"
	"smartkiosk/device/keypad"
)

// tree makes files, and symbolic links for contents that begin with "-> ".
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// fakeMachine returns a machine that has these files and no other devices.
func fakeMachine(t *testing.T, files map[string]string) machine {
	return machine{
		root:    tree(t, files),
		openBus: func(device string) (i2c.BusCloser, error) { return nil, fmt.Errorf("no %s", device) },
		pads:    func() ([]keypad.Pad, error) { return nil, nil },
		readers: func() ([]string, error) { return nil, nil },
		chips:   func() []chipFinding { return nil },
		access: func(path string) error {
			_, err := os.Stat(path)
			return err
		},
		now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	}
}

// zero2W returns a Raspberry Pi as it is sold, with everything that a panel may be
// wired to.
func zero2W(t *testing.T) machine {
	m := fakeMachine(t, map[string]string{
		"proc/device-tree/model":                           "Raspberry Pi Zero 2 W Rev 1.0\x00",
		"boot/firmware/config.txt":                         "dtparam=i2c_arm=on\nenable_uart=1\n",
		"dev/i2c-1":                                        "",
		"dev/i2c-2":                                        "",
		"sys/bus/i2c/devices/i2c-1/name":                   "bcm2835 (i2c@7e804000)\n",
		"sys/bus/i2c/devices/i2c-2/name":                   "bcm2835 (i2c@7e805000)\n",
		"sys/bus/i2c/devices/1-0068/driver":                "-> ../../../../bus/i2c/drivers/rtc-ds1307",
		"sys/class/drm/card0-HDMI-A-1/ddc":                 "-> ../../../i2c-2",
		"dev/serial0":                                      "-> ttyS0",
		"dev/serial1":                                      "-> ttyAMA0",
		"dev/ttyS0":                                        "",
		"dev/ttyS1":                                        "",
		"dev/ttyAMA0":                                      "",
		"dev/ttyUSB0":                                      "",
		"dev/serial/by-id/usb-FTDI_A1-port0":               "-> ../../ttyUSB0",
		"sys/class/tty/console/active":                     "tty1\n",
		"sys/class/tty/ttyUSB0/device":                     "-> ../../../devices/usb1/1-1/1-1:1.0/ttyUSB0",
		"sys/devices/usb1/1-1/manufacturer":                "FTDI\n",
		"sys/devices/usb1/1-1/product":                     "FT232R USB UART\n",
		"sys/devices/usb1/1-1/1-1:1.0/ttyUSB0/port_number": "0\n",
		"dev/gpiochip0":                                    "",
		"sys/class/pwm/pwmchip0/npwm":                      "2\n",
		"sys/class/watchdog/watchdog0/identity":            "Broadcom BCM2835 Watchdog timer\n",
		"sys/class/watchdog/watchdog0/state":               "inactive\n",
	})
	m.openBus = func(device string) (i2c.BusCloser, error) {
		if device != "/dev/i2c-1" {
			t.Errorf("opened %s", device)
		}
		return fakeBus{t: t, parts: map[uint16][]byte{0x20: {0xff, 0xff, 0}, 0x27: {0xff}, 0x3c: {0x48}, 0x50: {0}, 0x68: {0}}}, nil
	}
	m.pads = func() ([]keypad.Pad, error) {
		return []keypad.Pad{
			{Path: "/dev/input/event0", Name: "Logitech K120"},
			{Path: "/dev/input/event1", Name: `SIGMACHIP "Pad"`, Taken: true},
		}, nil
	}
	m.readers = func() ([]string, error) { return []string{"Gemalto PC Twin Reader 00 00"}, nil }
	m.chips = func() []chipFinding {
		return []chipFinding{{Device: "/dev/gpiochip0", Label: "pinctrl-bcm2835", Lines: 54, Held: map[string][]string{"leds": {"GPIO4"}, "kioskd@7": {"GPIO5", "GPIO6"}}}}
	}
	return m
}

// detect runs "kioskctl panel detect".
func detect(t *testing.T, m machine, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	p := program{machine: m, stdout: &out}
	err := p.run(t.Context(), append([]string{"panel", "detect"}, args...))
	return out.String(), err
}

func TestDetect(t *testing.T) {
	out, err := detect(t, zero2W(t))
	const want = `Machine      Raspberry Pi Zero 2 W Rev 1.0
I²C          /dev/i2c-1 (bcm2835 (i2c@7e804000)): 4 answer
             0x20: an expander or sensor with registers: not a part of a panel
             0x27: PCF8574, as on the backpacks of character displays
             0x3c: OLED, probably SH1106 by its status 0x48
             0x50: perhaps an EEPROM
             0x68: held by the kernel's driver rtc-ds1307, not asked
Serial port  /dev/serial1 (/dev/ttyAMA0): Bluetooth's
Serial port  /dev/serial0 (/dev/ttyS0): the header's pins 8 (TXD) and 10 (RXD)
Serial port  /dev/serial/by-id/usb-FTDI_A1-port0 (/dev/ttyUSB0): FTDI FT232R USB UART
Card reader  Gemalto PC Twin Reader 00 00
Number pad   "Logitech K120" (/dev/input/event0): has letters too: used only if it is named
Number pad   "SIGMACHIP \"Pad\"" (/dev/input/event1): used without being named
GPIO         /dev/gpiochip0 (pinctrl-bcm2835): 54 lines, held: GPIO5, GPIO6 by kioskd@7; GPIO4 by leds
PWM          /sys/class/pwm/pwmchip0: channels 0 to 1
Watchdog     /dev/watchdog0 (Broadcom BCM2835 Watchdog timer): free

A wiring file of it. Lines with # are for what is not seen by looking, or for
a choice; a buzzer, lamps, strike and tamper switch are to be added:

name = "Raspberry Pi Zero 2 W Rev 1.0"
pi = "zero-2-w"

# "SIGMACHIP \"Pad\""
[keypad.usb]

# rows = 2, columns = 16 for the smaller display; it may also be a board of relays or keys
[display.pcf8574]
bus = "/dev/i2c-1"
address = 0x27
rows = 4
columns = 20

# if the picture is shifted: column_offset; if it is shifted or missing: display.ssd1306 (most modules of 0.96 inches), display.ssd1309 (most modules of 1.54 and 2.42 inches)
[display.sh1106]
bus = "/dev/i2c-1"
address = 0x3c

[watchdog]
device = "/dev/watchdog0"
timeout = "15s"
`
	if err != nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDetectJSON(t *testing.T) {
	out, err := detect(t, zero2W(t), "--json")
	var f findings
	if err != nil || json.Unmarshal([]byte(out), &f) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if f.I2C[0].Parts[1].Address != "0x27" || f.I2C[0].Held["0x68"] != "rtc-ds1307" || len(f.Serial) != 3 || !f.Serial[2].Free || f.Serial[0].Free ||
		f.Watchdogs[0].State != "inactive" || !f.Pads[0].Named || f.PWM[0].Channels != 2 {
		t.Errorf("%+v", f)
	}
	b, err := board.Parse(f.Board)
	if err != nil || b.Keypad.USB == nil || len(b.Displays) != 2 || b.Pi != "zero-2-w" {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestDetectOnABarePi checks that an interface that is switched off is reported with
// the line that switches it on.
func TestDetectOnABarePi(t *testing.T) {
	m := fakeMachine(t, map[string]string{
		"proc/device-tree/model":       "Raspberry Pi 4 Model B Rev 1.4\x00",
		"boot/config.txt":              "#dtparam=i2c_arm=on\ndtparam=audio=on,watchdog=on # as it was\n",
		"sys/class/tty/console/active": "tty1",
	})
	out, err := detect(t, m)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"I²C          none found\n",
		"I²C, for a display on SDA and SCL: not switched on: add the line dtparam=i2c_arm=on to /boot/config.txt and restart\n",
		"add the line enable_uart=1 to /boot/config.txt and restart\n",
		"add the line dtoverlay=pwm,pin=18,func=2 to /boot/config.txt and restart\n",
		"The hardware watchdog: /boot/config.txt has watchdog=on, but it is not there: restart;",
		"\nNothing was found that a wiring file could be made of.\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// TestDetectNothing checks that a machine other than a Pi gets no advice for a Pi.
func TestDetectNothing(t *testing.T) {
	out, err := detect(t, fakeMachine(t, nil))
	if err != nil || strings.Contains(out, "config.txt") || strings.Count(out, "none found\n") != 7 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDetectWatchdog checks the states of a watchdog. A kernel without
// CONFIG_WATCHDOG_SYSFS does not say whether a program has it open.
func TestDetectWatchdog(t *testing.T) {
	for state, want := range map[string]string{
		"active\n":   "running: kioskd has it, or systemd (RuntimeWatchdogSec=)\n",
		"inactive\n": "free\n",
		"":           "free, or not: this kernel does not tell\n",
	} {
		out, err := detect(t, fakeMachine(t, map[string]string{"sys/class/watchdog/watchdog0/state": state}))
		if err != nil || !strings.Contains(out, "/dev/watchdog0 (unknown): "+want) {
			t.Errorf("%q: %v\n%s", state, err, out)
		}
	}
}

// TestDetectHidden checks that devices without permission are reported with the group
// whose members may use them, and that the exit status is 1.
func TestDetectHidden(t *testing.T) {
	m := zero2W(t)
	m.access = func(path string) error { return &fs.PathError{Op: "access", Path: path, Err: fs.ErrPermission} }
	m.pads = func() ([]keypad.Pad, error) { return nil, errors.New("cannot look into /dev/input/event0") }
	m.readers = func() ([]string, error) { return nil, errors.New("no PC/SC service answers") }
	m.chips = func() []chipFinding { t.Error("looked at chips"); return nil }
	m.openBus = func(string) (i2c.BusCloser, error) { t.Error("opened a bus"); return nil, nil }
	out, err := detect(t, m)
	if !errors.Is(err, errHidden) {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"Not seen     I²C: /dev/i2c-1: permission denied: is this user in the group i2c? (sudo usermod -aG i2c USER, then log in again)\n",
		"Not seen     Serial port: /dev/serial0: permission denied: is this user in the group dialout? ",
		"Not seen     Serial port: /dev/serial/by-id/usb-FTDI_A1-port0: permission denied: is this user in the group dialout? ",
		"Not seen     GPIO: /dev/gpiochip0: permission denied: is this user in the group gpio? ",
		"Not seen     Number pad: cannot look into /dev/input/event0\n",
		"Not seen     Card reader: no PC/SC service answers: is pcscd installed (sudo apt install pcscd), and may this user use it?\n",
		"I²C          none that may be looked at\n",
		"\n[watchdog]\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "display") {
		t.Errorf("proposes a display:\n%s", out)
	}
}

func TestDetectConsole(t *testing.T) {
	m := zero2W(t)
	if err := os.WriteFile(m.path("sys/class/tty/console/active"), []byte("tty1 ttyS0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := detect(t, m)
	if err != nil || !strings.Contains(out, "10 (RXD); the kernel writes its messages there\n") ||
		!strings.Contains(out, "remove console=serial0,115200 from /boot/firmware/cmdline.txt and restart\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDetectPortByItsName checks that udev's name of a port is used, whatever it links
// to.
func TestDetectPortByItsName(t *testing.T) {
	m := fakeMachine(t, map[string]string{"dev/serial0": "-> /dev/pts/3", "dev/ttyACM0": "", "dev/ttyS0": ""})
	m.access = func(string) error { return nil }
	out, err := detect(t, m)
	if err != nil || !strings.Contains(out, "Serial port  /dev/serial0 (/dev/pts/3): the header's pins") || !strings.Contains(out, "Serial port  /dev/ttyACM0 (/dev/ttyACM0): on the board\n") ||
		strings.Contains(out, "ttyS0") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDetectInterrupted(t *testing.T) {
	m := zero2W(t)
	ctx, cancel := context.WithCancel(t.Context())
	m.openBus = func(string) (i2c.BusCloser, error) { cancel(); return fakeBus{t: t}, nil }
	if _, err := m.detect(ctx); err == nil {
		t.Error("went on")
	}
}
