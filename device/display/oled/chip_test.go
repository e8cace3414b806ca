package oled

import (
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		status byte
		chips  string
	}{
		{0x43, "SSD1306"}, // off, as after power-on
		{0x06, "SSD1306"},
		{0x04, "SSD1306"},
		{0x45, "SSD1306"},
		{0x48, "SH1106"},
		{0x08, "SH1106"},
		{0x07, "SSD1306"}, // an SH1107 or another chip
		{0x00, "SSD1306"},
		{0xff, ""}, // a PCF8574A after power-on
		{0xf8, ""},
		{0x88, ""}, // busy
	} {
		bus := &i2ctest.Playback{}
		for range Chips() {
			bus.Ops = append(bus.Ops, i2ctest.IO{Addr: 0x3c, R: []byte{c.status}})
		}
		var found []string
		for _, chip := range Chips() {
			if about := Detect(bus, 0x3c, chip); about != "" {
				found = append(found, chip.String())
			}
		}
		if got := strings.Join(found, " "); got != c.chips {
			t.Errorf("%#x: %q, want %q", c.status, got, c.chips)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []uint16{0x27, 0x3c} {
		if about := Detect(&i2ctest.Playback{DontPanic: true}, address, SSD1306); about != "" {
			t.Errorf("no answer from %#x: %s", address, about)
		}
	}
}
