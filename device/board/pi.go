package board

import (
	"fmt"
	"slices"
	"strings"
)

// Pi is a model of Raspberry Pi. All of them have the same header.
type Pi string

// models are the known models. pi is the name in a board file.
var models = []struct {
	pi   Pi
	name string
}{
	{"zero-2-w", "Raspberry Pi Zero 2 W"},
	{"3b", "Raspberry Pi 3 B"},
	{"3b-plus", "Raspberry Pi 3 B+"},
	{"4b", "Raspberry Pi 4 B"},
}

// String returns the name that the maker uses.
func (p Pi) String() string {
	for _, m := range models {
		if m.pi == p {
			return m.name
		}
	}
	return string(p)
}

func (p Pi) check() error {
	var known []string
	for _, m := range models {
		if p == "" || m.pi == p {
			return nil
		}
		known = append(known, string(m.pi))
	}
	return fmt.Errorf("pi is %q, which is not a known model: use one of %s, or leave pi out for another machine", string(p), strings.Join(known, ", "))
}

// Destinations of a wire other than a line.
const (
	Ground   = "GND"
	Volts3V3 = "3V3"
	Volts5   = "5V"
)

// Header lists the signal at each pin of the header, from pin 1
// (raspberrypi.com/documentation, "GPIO and the 40-pin header").
var Header = [40]string{
	Volts3V3, Volts5,
	"GPIO2", Volts5,
	"GPIO3", Ground,
	"GPIO4", "GPIO14",
	Ground, "GPIO15",
	"GPIO17", "GPIO18",
	"GPIO27", Ground,
	"GPIO22", "GPIO23",
	Volts3V3, "GPIO24",
	"GPIO10", Ground,
	"GPIO9", "GPIO25",
	"GPIO11", "GPIO8",
	Ground, "GPIO7",
	"GPIO0", "GPIO1",
	"GPIO5", Ground,
	"GPIO6", "GPIO12",
	"GPIO13", Ground,
	"GPIO19", "GPIO16",
	"GPIO26", "GPIO20",
	Ground, "GPIO21",
}

// pinOf returns a line's pin in the header, from 1, or 0 if it has none.
func pinOf(line string) int { return slices.Index(Header[:], line) + 1 }

// checkLine checks that a part can be wired to a line.
func (p Pi) checkLine(line string) error {
	switch {
	case line == "":
		return fmt.Errorf("no line is given: write the line that it is wired to, for example \"GPIO17\"")
	case p == "":
		return nil
	case !strings.HasPrefix(line, "GPIO") || pinOf(line) == 0:
		return fmt.Errorf("the header has no line %q: use GPIO2 to GPIO27", line)
	case line == "GPIO0" || line == "GPIO1":
		return fmt.Errorf("%s is reserved for the EEPROM of an add-on board, which the Pi reads when it starts: use GPIO2 to GPIO27", line)
	}
	return nil
}

// pulledUp reports whether a line is pulled up until a program configures it. The
// other lines of the header are pulled down (BCM2835 ARM Peripherals, table
// 6-31).
func pulledUp(line string) bool {
	return slices.Contains([]string{"GPIO2", "GPIO3", "GPIO4", "GPIO5", "GPIO6", "GPIO7", "GPIO8"}, line)
}

// i2cBus is the I²C bus of the header (BCM2835 ARM Peripherals, table 6-31, ALT0).
const i2cBus = "/dev/i2c-1"

// serialPorts are the names of the header's serial port. /dev/serial0 is an alias
// of one of the other two: which one depends on what Bluetooth uses.
var serialPorts = []string{"/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0"}

// DeviceLines returns the lines of the header that a device file uses, with their
// functions.
func (p Pi) DeviceLines(device string) map[string]string {
	switch {
	case p == "":
		return nil
	case device == i2cBus:
		return map[string]string{"GPIO2": "SDA", "GPIO3": "SCL"}
	case slices.Contains(serialPorts, device):
		return map[string]string{"GPIO14": "TXD", "GPIO15": "RXD"}
	}
	return nil
}

// pwmChannels are the lines of the header that have a PWM channel (BCM2835 ARM
// Peripherals, table 6-31, PWM0 and PWM1), with the func parameter of the overlay
// pwm (overlays/README of the firmware).
var pwmChannels = map[string]struct{ channel, function int }{
	"GPIO12": {0, 4}, "GPIO13": {1, 4}, "GPIO18": {0, 2}, "GPIO19": {1, 2},
}

// longestWatchdog is the longest timeout of the Pi's watchdog, in seconds: 20
// bits of 1/65536 s (drivers/watchdog/bcm2835_wdt.c).
const longestWatchdog = 15
