package oled_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"testing"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/display"
	"smartkiosk/device/display/oled"
)

// initialization is the SSD1306's "Software Initialization Flow Chart"
// (application note, figure 2) with the values for 64 rows, followed by the
// addressing mode that the driver uses.
var initialization = []byte{
	0x00,
	0xae,
	0xa8, 0x3f, // Set MUX Ratio
	0xd3, 0x00, // Set Display Offset
	0x40,       // Set Display Start Line
	0xa1,       // Set Segment re-map
	0xc8,       // Set COM Output Scan Direction
	0xda, 0x12, // Set COM Pins hardware configuration
	0x81, 0x7f, // Set Contrast Control
	0xa4,       // Disable Entire Display On
	0xa6,       // Set Normal Display
	0xd5, 0x80, // Set Osc Frequency
	0x8d, 0x14, // Enable charge pump regulator
	0x20, 0x02,
	0x2e,
}

// page returns the message that fills a page.
func page(n byte, fill byte) i2ctest.IO {
	w := []byte{0x80, 0xb0 | n, 0x80, 0x00, 0x80, 0x10, 0x40}
	for range 128 {
		w = append(w, fill)
	}
	return i2ctest.IO{Addr: 0x3c, W: w}
}

func TestPlayback(t *testing.T) {
	bus := &i2ctest.Playback{DontPanic: true}
	bus.Ops = append(bus.Ops, i2ctest.IO{Addr: 0x3c, W: initialization})
	for n := range 8 {
		bus.Ops = append(bus.Ops, page(byte(n), 0))
	}
	bus.Ops = append(bus.Ops,
		i2ctest.IO{Addr: 0x3c, W: []byte{0x00, 0xaf}}, // Display On, the last of the flow chart
		i2ctest.IO{Addr: 0x3c, R: []byte{0x03}},       // status: on
		// An l in the second cell: its seven dots are in rows 5 to 11, so they
		// span two pages.
		i2ctest.IO{Addr: 0x3c, W: []byte{0x80, 0xb0, 0x80, 0x08, 0x80, 0x10, 0x40, 0x20, 0xe0}},
		i2ctest.IO{Addr: 0x3c, W: []byte{0x80, 0xb1, 0x80, 0x08, 0x80, 0x10, 0x40, 0x08, 0x0f, 0x08}},
		i2ctest.IO{Addr: 0x3c, R: []byte{0x03}}, // status: on
		i2ctest.IO{Addr: 0x3c, R: []byte{0x43}}, // status: off
	)
	panel, err := oled.New(bus, 0x3c, oled.SSD1306)
	if err != nil {
		t.Fatal(err)
	}
	text, err := display.NewText(panel)
	if err != nil {
		t.Fatal(err)
	}
	if err := text.Show(display.Frame{Rows: []string{" l"}}); err != nil {
		t.Fatal(err)
	}
	if err := text.Check(); err != nil {
		t.Errorf("a panel that is on: %v", err)
	}
	if err := text.Check(); err == nil || err.Error() != "SSD1306(0x3c) has lost its state: it was switched on, but its status says off" {
		t.Errorf("a panel that lost its power: %v", err)
	}
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
}

// TestPlaybackSH1106 checks the SH1106's own commands (table 1). The first column
// of the glass is the third of the memory.
func TestPlaybackSH1106(t *testing.T) {
	bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 0x3d, W: []byte{
		0x00,
		0xae,       // Display OFF; the DC-DC must only be switched while it is off
		0xa8, 0x3f, // Multiplex Ratio: 64 rows
		0xd3, 0x00, // Display Offset
		0x40,       // Display Start Line
		0xa1,       // Segment Re-map: from the right
		0xc8,       // Common Output Scan Direction: from below
		0xda, 0x12, // Common Pads: alternative
		0x81, 0x80, // Contrast, as at reset
		0xa4,       // Entire Display OFF
		0xa6,       // Normal Display
		0xd5, 0x80, // Clock
		0xad, 0x8b, // DC-DC ON
	}}}}
	for n := range byte(8) {
		w := append([]byte{0x80, 0xb0 | n, 0x80, 0x02, 0x80, 0x10, 0x40}, make([]byte, 128)...) // page, column
		bus.Ops = append(bus.Ops, i2ctest.IO{Addr: 0x3d, W: w})
	}
	bus.Ops = append(bus.Ops,
		i2ctest.IO{Addr: 0x3d, W: []byte{0x00, 0xaf}}, // Display ON
		i2ctest.IO{Addr: 0x3d, R: []byte{0x08}},       // status: on
		i2ctest.IO{Addr: 0x3d, R: []byte{0x48}},       // off, as after a loss of power
	)
	panel, err := oled.New(bus, 0x3d, oled.SH1106)
	if err != nil {
		t.Fatal(err)
	}
	text, err := display.NewText(panel)
	if err != nil {
		t.Fatal(err)
	}
	if err := text.Check(); err == nil || err.Error() != "SH1106(0x3d) has lost its state: it was switched on, but its status says off" {
		t.Errorf("a panel that lost its power: %v", err)
	}
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
}

// TestSSD1309 checks a chip with a command lock, without a charge pump and with
// the memory of the SSD1306.
func TestSSD1309(t *testing.T) {
	record := &i2ctest.Record{}
	panel, err := oled.New(record, 0x3c, oled.SSD1309)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := display.NewText(panel); err != nil {
		t.Fatal(err)
	}
	start := record.Ops[0].W
	if !bytes.HasPrefix(start, []byte{0x00, 0xae, 0xfd, 0x12}) || bytes.Contains(start, []byte{0x8d}) {
		t.Errorf("starts with % x", start)
	}
	if page := record.Ops[1].W; !bytes.HasPrefix(page, []byte{0x80, 0xb0, 0x80, 0x00, 0x80, 0x10, 0x40}) || len(page) != 7+128 {
		t.Errorf("the first page is % x", page)
	}
}

// TestColumnOffset checks SetColumnOffset. Modules differ in the column of memory
// that appears first on the glass.
func TestColumnOffset(t *testing.T) {
	record := &i2ctest.Record{}
	panel, err := oled.New(record, 0x3c, oled.SH1106)
	if err != nil {
		t.Fatal(err)
	}
	panel.SetColumnOffset(0)
	if _, err := display.NewText(panel); err != nil {
		t.Fatal(err)
	}
	if page := record.Ops[1].W; !bytes.HasPrefix(page, []byte{0x80, 0xb0, 0x80, 0x00, 0x80, 0x10, 0x40}) {
		t.Errorf("the first page is % x", page)
	}
}

// TestUnreadable checks that Check reports no loss of state for a module that
// does not answer reads, or always answers the same byte.
func TestUnreadable(t *testing.T) {
	for _, bus := range []i2c.Bus{&writeOnly{}, &writeOnly{answer: 0xff}} {
		panel, err := oled.New(bus, 0x3c, oled.SSD1306)
		if err != nil {
			t.Fatal(err)
		}
		text, err := display.NewText(panel)
		if err != nil {
			t.Fatal(err)
		}
		if err := text.Check(); !errors.Is(err, display.ErrBlind) {
			t.Errorf("Check: %v", err)
		}
	}
}

// writeOnly is a module that accepts every write and answers a read with a fixed
// byte, or not at all.
type writeOnly struct{ answer byte }

func (*writeOnly) String() string                  { return "write only" }
func (*writeOnly) SetSpeed(physic.Frequency) error { return nil }
func (w *writeOnly) Tx(_ uint16, _, r []byte) error {
	if len(r) > 0 && w.answer == 0 {
		return errors.New("no acknowledge")
	}
	for i := range r {
		r[i] = w.answer
	}
	return nil
}

// TestPicture checks that a picture is centred and that one that is too large is
// cut.
func TestPicture(t *testing.T) {
	for _, size := range []image.Point{{2, 2}, {300, 300}} {
		record := &i2ctest.Record{}
		panel, err := oled.New(record, 0x3c, oled.SH1106)
		if err != nil {
			t.Fatal(err)
		}
		text, err := display.NewText(panel)
		if err != nil {
			t.Fatal(err)
		}
		before := len(record.Ops)
		white := image.NewUniform(color.White)
		picture := &sized{white, image.Rect(7, 7, 7+size.X, 7+size.Y)}
		if err := text.Show(display.Frame{Picture: picture}); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("% x", record.Ops[before].W[:9])
		// Columns 63 and 64 of the glass are 65 and 66 of the SH1106's memory.
		// Row 31 is the last of page 3, row 32 the first of page 4.
		want := map[int]string{2: "80 b3 80 01 80 14 40 80 80", 300: "80 b0 80 02 80 10 40 ff ff"}[size.X]
		if got != want {
			t.Errorf("a picture of %v: % s, want %s", size, got, want)
		}
	}
}

type sized struct {
	*image.Uniform
	bounds image.Rectangle
}

func (s *sized) Bounds() image.Rectangle { return s.bounds }

func TestBadInput(t *testing.T) {
	for _, tt := range []struct {
		address uint16
		chip    oled.Chip
		want    string
	}{
		{0x3c, oled.Chip(len(oled.Chips())), fmt.Sprintf("cannot open display: unknown chip %d", len(oled.Chips()))},
		{0x3c, -1, "cannot open display: unknown chip -1"},
		{0x78, oled.SH1106, "cannot open SH1106: its address is 0x3c or 0x3d, not 0x78"},
	} {
		if _, err := oled.New(nil, tt.address, tt.chip); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
