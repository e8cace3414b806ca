package display_test

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/devices/v3/ssd1306/image1bit"
	"pgregory.net/rapid"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// letters are used in random frames: ASCII, letters of ROMs, letters that must be
// taught (more than there are slots), and letters that no display has.
var letters = []rune(" *#01aefgkLMN\\~äöüæøåÆØÅáčđŋšŧžÁČĐŊŠŦŽé–日")

func frames(t *rapid.T) display.Frame {
	row := rapid.StringOfN(rapid.SampledFrom(letters), 0, 24, -1)
	return display.Frame{
		Rows:   rapid.SliceOfN(row, 0, 6).Draw(t, "rows"),
		Layout: display.Layout(rapid.IntRange(0, 2).Draw(t, "layout")),
	}
}

// TestLastFrameShows shows random frames and cuts the power at random. Afterwards
// the display must show the same as one that was shown only the last frame.
func TestLastFrameShows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sequence := rapid.SliceOfN(rapid.Custom(frames), 1, 6).Draw(rt, "frames")
		lost := rapid.IntRange(-1, len(sequence)-1).Draw(rt, "power lost before")
		fresh := benches(t)
		for i, b := range benches(t) {
			text, err := display.NewText(b.part)
			if err != nil {
				rt.Fatal(err)
			}
			for n, f := range sequence {
				if n == lost {
					b.power()
					if err := text.Refresh(); err != nil {
						rt.Fatal(err)
					}
				}
				if err := text.Show(f); err != nil {
					rt.Fatal(err)
				}
			}
			alone, err := display.NewText(fresh[i].part)
			if err != nil {
				rt.Fatal(err)
			}
			if err := alone.Show(sequence[len(sequence)-1]); err != nil {
				rt.Fatal(err)
			}
			if got, want := seen(b.glass), seen(fresh[i].glass); got != want {
				rt.Errorf("%s shows\n%s\nwant\n%s", b.name, got, want)
			}
			if len(*b.faults) > 0 {
				rt.Errorf("%s: %q", b.name, *b.faults)
			}
		}
	})
}

func seen(g glass) string {
	if r, ok := g.(reader); ok {
		return strings.Join(r.Text(), "\n")
	}
	dots := g.(*displaysim.OLED).Dots()
	return fmt.Sprintf("%x", dots.Pix)
}

// TestOnlyChangesAreWritten compares the cells that were written with those that
// changed.
func TestOnlyChangesAreWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		first, second := frames(rt), frames(rt)
		for _, b := range benches(t) {
			text, err := display.NewText(b.part)
			if err != nil {
				rt.Fatal(err)
			}
			if err := text.Show(first); err != nil {
				rt.Fatal(err)
			}
			before, written := cellsOf(b.glass)
			*written = nil
			if err := text.Show(second); err != nil {
				rt.Fatal(err)
			}
			after, written := cellsOf(b.glass)
			var changed []int
			for i := range after {
				if before[i] != after[i] {
					changed = append(changed, i)
				}
			}
			slices.Sort(*written)
			if _, dots := b.glass.(*displaysim.OLED); dots {
				// A stretch may include a few columns that did not change.
				for _, w := range *written {
					near := func(c int) bool { return c/128 == w/128 && c-w <= 5 && w-c <= 5 }
					if !slices.ContainsFunc(changed, near) {
						rt.Errorf("%s: column %d of page %d was written, far from any change", b.name, w%128, w/128)
					}
				}
				continue
			}
			if !slices.Equal(*written, changed) {
				rt.Errorf("%s: wrote %d, changed %d", b.name, *written, changed)
			}
			*written = nil
			if err := text.Show(second); err != nil {
				rt.Fatal(err)
			}
			if _, written := cellsOf(b.glass); len(*written) > 0 {
				rt.Errorf("%s: wrote %d for the same frame again", b.name, *written)
			}
		}
	})
}

// cellsOf returns the codes in a display's memory and the list of cells written.
func cellsOf(g glass) ([]byte, *[]int) {
	switch g := g.(type) {
	case *displaysim.HD44780:
		var codes []byte
		for i := range g.Rows * g.Cols {
			codes = append(codes, g.Code(i/g.Cols, i%g.Cols))
		}
		return codes, &g.Written
	case *displaysim.Serial:
		return g.Codes(), &g.Written
	case *displaysim.OLED:
		return slices.Clone(g.Dots().Pix), &g.Written
	}
	panic("unknown glass")
}

// TestStartFromAnyState stops the driver at every message, or at every edge of a
// line, and has another driver take over.
func TestStartFromAnyState(t *testing.T) {
	nibbles := 0
	for cut := 0; cut < 400; cut += 7 {
		clock := &displaysim.Clock{}
		lcd := displaysim.NewHD44780(2, 16, clock)
		wires := &displaysim.Wires{LCD: lcd}
		left := cut
		wait := func(d time.Duration) { clock.Wait(d) }
		gpio, err := hd44780.NewGPIO(pinsOf(wires), wait)
		if err != nil {
			t.Fatal(err)
		}
		broken := &cutBus{Bus: gpio, left: &left}
		part, err := hd44780.New(broken, 2, 16, hd44780.A00)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := display.NewText(part); err == nil {
			text.Show(display.Frame{Rows: []string{"blåbær", "øøøø"}})
		}
		whole, err := hd44780.NewGPIO(pinsOf(wires), wait)
		if err != nil {
			t.Fatal(err)
		}
		part, err = hd44780.New(whole, 2, 16, hd44780.A00)
		if err != nil {
			t.Fatal(err)
		}
		text, err := display.NewText(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := text.Show(display.Frame{Rows: []string{"Sett inn kortet", "på nytt"}}); err != nil {
			t.Fatal(err)
		}
		if got := lcd.Text(); strings.TrimRight(got[0], " ") != "Sett inn kortet" || strings.TrimRight(got[1], " ") != "på nytt" {
			t.Errorf("cut after %d nibbles: shows %q", cut, got)
		}
		nibbles = max(nibbles, cut-left)
	}
	if nibbles < 100 {
		t.Errorf("only %d nibbles were sent before a cut", nibbles)
	}
}

// cutBus sends a number of nibbles and then no more, even between the two nibbles
// of a byte.
type cutBus struct {
	hd44780.Bus
	left *int
}

func (c *cutBus) Byte(data bool, b byte) error {
	if *c.left == 1 && !data {
		*c.left = 0
		c.Bus.Nibble(b >> 4)
	}
	if *c.left < 2 {
		return errCut
	}
	*c.left -= 2
	return c.Bus.Byte(data, b)
}

func (c *cutBus) Nibble(n byte) error {
	if *c.left < 1 {
		return errCut
	}
	*c.left--
	return c.Bus.Nibble(n)
}

// TestPicture shows a picture instead of letters, and then letters again.
func TestPicture(t *testing.T) {
	picture := image1bit.NewVerticalLSB(image.Rect(0, 0, 50, 64))
	for i := range 50 {
		picture.SetBit(i, i, image1bit.On)
	}
	for _, b := range benches(t) {
		glass, ok := b.glass.(*displaysim.OLED)
		if !ok {
			continue
		}
		text, err := display.NewText(b.part)
		if err != nil {
			t.Fatal(err)
		}
		blank := seen(glass)
		if err := text.Show(display.Frame{Rows: []string{"behind the picture"}, Picture: picture}); err != nil {
			t.Fatal(err)
		}
		const left = (128 - 50) / 2
		for y := range 64 {
			for x := range 128 {
				if lit := glass.Dots().BitAt(x, y); lit != image1bit.Bit(x-left == y && y < 50) {
					t.Fatalf("%s: dot %d,%d is %v", b.name, x, y, lit)
				}
			}
		}
		if err := text.Show(display.Frame{}); err != nil {
			t.Fatal(err)
		}
		if seen(glass) != blank {
			t.Errorf("%s: something is left of the picture", b.name)
		}
	}
}

var errCut = errors.New("cut off")
