//go:build linux

package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"smartkiosk/device/board"
	"smartkiosk/device/display/displaysim"
)

// i2cBus is a simulated bus for periph's register.
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
                 it cannot be asked what it shows
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
		bus := &displaysim.I2C{Address: 0x3c, Target: displaysim.NewOLED("SH1106"), Hertz: 400000, Clock: clock}
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

// TestTryOLEDEdges checks that the line along the edges distinguishes the two
// controllers.
func TestTryOLEDEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		oled := displaysim.NewOLED("SSD1306")
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
                 not so: every place of the glass shows; if the picture is shifted: column_offset; if it is shifted or missing: display.sh1106 (most modules of 1.3 inches), display.ssd1309 (most modules of 1.54 and 2.42 inches)
`)
	})
}
