package oled

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		status byte
		chip   Chip
		known  bool
	}{
		{0x43, SSD1306, true}, // off, as after power-on
		{0x06, SSD1306, true},
		{0x04, SSD1306, true},
		{0x45, SSD1306, true},
		{0x48, SH1106, true},
		{0x08, SH1106, true},
		{0x07, 0, false}, // an SH1107
		{0x00, 0, false},
		{0xff, 0, false}, // a PCF8574A after power-on
		{0xf8, 0, false},
		{0x88, 0, false}, // busy
	} {
		bus := &i2ctest.Playback{Ops: []i2ctest.IO{{Addr: 0x3c, R: []byte{c.status}}}}
		chip, err := Identify(bus, 0x3c)
		if known := err == nil; known != c.known || known && chip != c.chip || !known && !errors.Is(err, ErrUnidentified) {
			t.Errorf("%#x: %v, %v", c.status, chip, err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	}
	absent := &i2ctest.Playback{DontPanic: true}
	if _, err := Identify(absent, 0x3c); err == nil || errors.Is(err, ErrUnidentified) {
		t.Errorf("absent: %v", err)
	}
	if SSD1306.String() != "SSD1306" || SH1106.String() != "SH1106" {
		t.Error("names")
	}
}
