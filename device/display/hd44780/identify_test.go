package hd44780

import (
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

func TestMayBeBackpack(t *testing.T) {
	for _, c := range []struct {
		name string
		read []byte
		want bool
	}{
		{"after power-on", []byte{0xff, 0xff, 0xff, 0xff}, true},
		{"showing a text", []byte{0x48, 0x48, 0x48, 0x48}, true},
		{"MCP23017 after power-on", []byte{0xff, 0xff, 0, 0}, false},
		{"MCP23008 after power-on", []byte{0xff, 0, 0, 0}, false},
	} {
		bus := &i2ctest.Playback{Ops: []i2ctest.IO{{Addr: 0x27, R: c.read}}}
		got, err := MayBeBackpack(bus, 0x27)
		if got != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if err := bus.Close(); err != nil { // fails if the function wrote anything
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := MayBeBackpack(&i2ctest.Playback{DontPanic: true}, 0x27); err == nil {
		t.Error("absent: no error")
	}
}
