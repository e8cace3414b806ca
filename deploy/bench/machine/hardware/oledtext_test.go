//go:build linux

package hardware

import (
	"strings"
	"testing"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/oled"
)

// The reader reads what the driver writes, in each layout. A panel that is off
// reads as empty.
func TestReadOLED(t *testing.T) {
	rows := []string{"Sett inn kortet", "Brikken først", "og opp. ÆØÅ žŧŋ", "****", "Trykk * 0123456789"}
	for layout, want := range map[display.Layout][]string{
		display.Plain:   rows,
		display.Heading: rows,
		display.Large:   rows[:2],
	} {
		reader, err := newOLEDReader(layout)
		if err != nil {
			t.Fatal(err)
		}
		glass := displaysim.NewOLED("SH1106")
		panel, err := oled.New(&displaysim.I2C{Address: 0x3c, Target: glass, Hertz: 400000, Clock: &displaysim.Clock{}}, 0x3c, oled.SH1106)
		if err != nil {
			t.Fatal(err)
		}
		text, err := display.NewText(panel)
		if err != nil {
			t.Fatal(err)
		}
		if err := text.Show(display.Frame{Rows: rows, Layout: layout}); err != nil {
			t.Fatal(err)
		}
		got := reader.read(glass.Dots())
		if len(got) != len(want) {
			t.Fatalf("layout %v: %d rows, want %d", layout, len(got), len(want))
		}
		for i := range want {
			if strings.TrimRight(got[i], " ") != want[i] {
				t.Errorf("layout %v, row %d: read %q, want %q", layout, i, got[i], want[i])
			}
		}
		glass.PowerCycle()
		if noise := reader.read(glass.Dots()); strings.TrimSpace(strings.Join(noise, "")) != "" {
			t.Errorf("layout %v: a panel that is off reads %q, want nothing", layout, noise)
		}
	}
}
