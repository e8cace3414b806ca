//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/i2cbus"
)

// fakeBus is a bus with parts that can only be read. A part returns its only byte every
// time, or its bytes in turn.
type fakeBus struct {
	t     *testing.T
	parts map[uint16][]byte
	stuck bool
}

func (b fakeBus) String() string                  { return "fake" }
func (b fakeBus) SetSpeed(physic.Frequency) error { return nil }
func (b fakeBus) Close() error                    { return nil }

func (b fakeBus) Tx(address uint16, w, r []byte) error {
	if len(w) > 0 {
		b.t.Errorf("wrote %x to %#x", w, address)
	}
	answer, ok := b.parts[address]
	switch {
	case b.stuck:
		return i2cbus.ErrStuck
	case !ok:
		return i2cbus.ErrNoAnswer
	}
	for i := range r {
		r[i] = answer[i%len(answer)]
	}
	return nil
}

func TestDetectBusInTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		bus  i2c.BusCloser
		err  error
		want string
		exit error
	}{
		"stuck":      {fakeBus{t: t, stuck: true}, nil, "Not seen     I²C: /dev/i2c-1: cannot ask address 0x8: the bus is stuck: is SDA or SCL shorted", errHidden},
		"fails":      {nil, errors.New("out of order"), "Not seen     I²C: /dev/i2c-1: out of order\n", errHidden},
		"SMBus only": {nil, i2cbus.ErrNotI2C, "I²C          none found\n", nil},
		"empty":      {fakeBus{t: t}, nil, "I²C          /dev/i2c-1 (bcm2835 (i2c@7e804000)): nothing answers\n", nil},
	} {
		m := zero2W(t)
		m.openBus = func(string) (i2c.BusCloser, error) { return c.bus, c.err }
		if out, err := detect(t, m); !strings.Contains(out, c.want) || !errors.Is(err, c.exit) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	m := fakeMachine(t, map[string]string{"sys/bus/i2c/devices/i2c-1/name": "bcm2835\n"})
	if out, err := detect(t, m); !errors.Is(err, errHidden) || !strings.Contains(out, "sudo modprobe i2c-dev") {
		t.Errorf("without i2c-dev: %v\n%s", err, out)
	}
}

func TestGuess(t *testing.T) {
	for _, c := range []struct {
		address        uint16
		read           []byte
		about, section string
	}{
		{0x20, []byte{0xf7}, "PCF8574,", "display.pcf8574"},
		{0x3f, []byte{0xff}, "PCF8574A,", "display.pcf8574"},
		{0x38, []byte{0x18, 0x80, 0, 0}, "sensor with registers", ""},
		{0x3c, []byte{0x43}, "SSD1306", "display.ssd1306"},
		{0x3d, []byte{0x00}, "does not tell which controller", "display.ssd1306"},
		{0x3d, []byte{0xf7}, "PCF8574A,", "display.pcf8574"},
		{0x28, nil, "Matrix Orbital", ""},
		{0x72, nil, "SerLCD", ""},
		{0x48, nil, "not a part of a panel", ""},
	} {
		g := guess(fakeBus{t: t, parts: map[uint16][]byte{c.address: c.read}}, c.address)
		if !strings.Contains(g.About, c.about) || g.Section != c.section {
			t.Errorf("%#x: %+v", c.address, g)
		}
	}
}
