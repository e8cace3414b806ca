package display_test

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
	"smartkiosk/device/display/oled"
	"smartkiosk/device/display/serialtext"
)

var pictures = flag.String("pictures", "", "a folder to draw every screen on every display into")

// screen is one of the texts that the kiosk shows, laid out as in its catalogue.
type screen struct {
	name                string
	text2, text4, dots5 []string
}

// screens reads the text pictures of the catalogue.
func screens(t testing.TB, language string) []screen {
	t.Helper()
	file, err := os.ReadFile("../../kiosk/screen/testdata/" + language + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []screen
	for block := range strings.SplitSeq(strings.TrimSpace(string(file)), "\n\n") {
		lines := strings.Split(block, "\n")
		s := screen{name: lines[0]}
		for _, line := range lines[1:] {
			cells := []rune(line + strings.Repeat(" ", 80))
			at := 2 // after " |"
			for _, form := range []struct {
				rows *[]string
				cols int
			}{{&s.text2, 16}, {&s.text4, 20}, {&s.dots5, 21}} {
				if cells[at-1] == '|' {
					*form.rows = append(*form.rows, strings.TrimRight(string(cells[at:at+form.cols]), " "))
				}
				at += form.cols + 3
			}
		}
		if len(s.text2) != 2 || len(s.text4) != 4 || len(s.dots5) != 5 {
			t.Fatalf("cannot read screen %q of %s", s.name, language)
		}
		all = append(all, s)
	}
	return all
}

// glass is a simulated display as a person sees it.
type glass interface{ Picture() image.Image }

// reader is a glass that shows cells.
type reader interface {
	glass
	Text() []string
}

// bench is a driver with the simulated part that it drives.
type bench struct {
	name   string
	part   display.Part
	glass  glass
	faults *[]string
	power  func() // switches the part's power off and on
	frame  func(screen) display.Frame
}

// benches connects every driver to a simulated part that has just been switched
// on.
func benches(t testing.TB) []bench {
	t.Helper()
	of2 := func(s screen) display.Frame { return display.Frame{Rows: s.text2} }
	of4 := func(s screen) display.Frame { return display.Frame{Rows: s.text4} }
	heading := func(s screen) display.Frame { return display.Frame{Rows: s.dots5, Layout: display.Heading} }
	large := func(s screen) display.Frame { return display.Frame{Rows: s.text2, Layout: display.Large} }
	var all []bench
	add := func(name string, part display.Part, g glass, faults *[]string, power func(), frame func(screen) display.Frame) {
		all = append(all, bench{name, part, g, faults, power, frame})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, rows := range []int{2, 4} {
		cols, frame := 16, of2
		if rows == 4 {
			cols, frame = 20, of4
		}
		clock := &displaysim.Clock{}
		lcd := displaysim.NewHD44780(rows, cols, clock)
		wires := &displaysim.Wires{LCD: lcd}
		gpio, err := hd44780.NewGPIO(pinsOf(wires), clock.Wait)
		must(err)
		part, err := hd44780.New(gpio, rows, cols, hd44780.AnyROM)
		must(err)
		add(fmt.Sprintf("gpio-%dx%d", cols, rows), part, lcd, &lcd.Faults, lcd.PowerCycle, frame)

		clock = &displaysim.Clock{}
		lcd = displaysim.NewHD44780(rows, cols, clock)
		expander := displaysim.NewExpander(lcd)
		bus := &displaysim.I2C{Address: 0x27, Target: expander, Hertz: 100000, Clock: clock}
		backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, clock.Wait)
		must(err)
		part, err = hd44780.New(backpack, rows, cols, hd44780.A00)
		must(err)
		add(fmt.Sprintf("pcf8574-%dx%d", cols, rows), part, lcd, &lcd.Faults, expander.PowerCycle, frame)

		serial := displaysim.NewSerLCD(rows, cols)
		ser, err := serialtext.NewSerLCD(serial, rows, cols)
		must(err)
		add(fmt.Sprintf("serlcd-%dx%d", cols, rows), ser, serial, &serial.Faults, serial.PowerCycle, frame)
	}
	for i, chip := range oled.Chips() {
		glass := displaysim.NewOLED(chip.String())
		bus := &displaysim.I2C{Address: 0x3c, Target: glass, Hertz: 400000, Clock: &displaysim.Clock{}}
		panel, err := oled.New(bus, 0x3c, chip)
		must(err)
		add(fmt.Sprint(chip, i%2), panel, glass, &glass.Faults, glass.PowerCycle, []func(screen) display.Frame{heading, large}[i%2])
	}
	lk := displaysim.NewLK204()
	add("lk204", serialtext.NewLK204(lk), lk, &lk.Faults, lk.PowerCycle, of4)
	dm := displaysim.NewDMD110()
	add("dmd110", serialtext.NewDMD110(dm), dm, &dm.Faults, dm.PowerCycle, of2)
	return all
}

func pinsOf(w *displaysim.Wires) (p hd44780.Pins) {
	p.RS, p.E = w.Pin("RS"), w.Pin("E")
	for i := range p.D {
		p.D[i] = w.Pin(fmt.Sprintf("D%d", 4+i))
	}
	return p
}

// withoutSami replaces the letters that code page 865 lacks. Every other display must
// show each text with its own letters, so no screen may need more than 8 taught ones.
var withoutSami = strings.NewReplacer("č", "c", "đ", "d", "ŋ", "n", "š", "s", "ŧ", "t", "ž", "z",
	"Á", "A", "Č", "C", "Đ", "D", "Ŋ", "N", "Š", "S", "Ŧ", "T", "Ž", "Z")

// TestScreens shows every screen of the kiosk on every display, one after the
// other, and reads it back.
func TestScreens(t *testing.T) {
	for _, language := range []string{"nb", "nn", "se", "en"} {
		for _, b := range benches(t) {
			t.Run(language+"/"+b.name, func(t *testing.T) {
				text, err := display.NewText(b.part)
				if err != nil {
					t.Fatal(err)
				}
				var drawn []image.Image
				for _, s := range screens(t, language) {
					frame := b.frame(s)
					if err := text.Show(frame); err != nil {
						t.Fatal(err)
					}
					if r, ok := b.glass.(reader); ok {
						_, cols := b.part.Size()
						for i, row := range r.Text() {
							want := ""
							if i < len(frame.Rows) {
								want = frame.Rows[i]
							}
							if b.name == "dmd110" {
								want = withoutSami.Replace(want)
							}
							if want = fmt.Sprintf("%-*s", cols, want); row != want {
								t.Errorf("%s: row %d reads %q, want %q", s.name, i, row, want)
							}
						}
					}
					drawn = append(drawn, b.glass.Picture())
				}
				for _, fault := range *b.faults {
					t.Error(fault)
				}
				if *pictures != "" {
					write(t, filepath.Join(*pictures, language+"-"+b.name+".png"), sheet(drawn))
				}
			})
		}
	}
}

// sheet puts pictures of one size side by side.
func sheet(all []image.Image) image.Image {
	const across = 3
	size := all[0].Bounds().Size()
	r := image.Rect(0, 0, across*size.X, (len(all)+across-1)/across*size.Y)
	sheet := image.NewRGBA(r)
	draw.Draw(sheet, r, image.NewUniform(color.White), image.Point{}, draw.Src)
	for i, p := range all {
		at := image.Pt(i%across*size.X, i/across*size.Y)
		draw.Draw(sheet, image.Rectangle{at, at.Add(size)}, p, image.Point{}, draw.Src)
	}
	return sheet
}

func write(t *testing.T, name string, p image.Image) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, p); err != nil {
		t.Fatal(err)
	}
}

// TestLetters shows letters that the screens do not have: those of Nynorsk and
// Northern Sami, those of a name, and letters that a display cannot show.
func TestLetters(t *testing.T) {
	for _, tt := range []struct{ letters, cells, cp865 string }{
		{"æøåÆØÅéò", "æøåÆØÅéò", "æøåÆØÅéò"},
		{"áčđŋšŧž", "áčđŋšŧž", "ácdnstz"},
		{"ÁČĐŊŠŦŽ", "ÁČĐŊŠŦŽ", "ACDNSTZ"},
		{"áčđŋšŧžæøå", "áčđŋšŧžæoa", "ácdnstzæøå"}, // ten letters, and eight slots
		{"a|-b", "a|-b", "a|-b"},
		{"–’\u00a0«日\u0301", "-' \"??", "-' «??"},
	} {
		for _, b := range benches(t) {
			r, ok := b.glass.(reader)
			if !ok {
				continue
			}
			text, err := display.NewText(b.part)
			if err != nil {
				t.Fatal(err)
			}
			if err := text.Show(display.Frame{Rows: []string{tt.letters}}); err != nil {
				t.Fatal(err)
			}
			want := tt.cells
			if b.name == "dmd110" {
				want = tt.cp865
			}
			if strings.HasPrefix(b.name, "serlcd") { // the sign | begins a setting
				want = strings.ReplaceAll(want, "|", "?")
			}
			if got := strings.TrimRight(r.Text()[0], " "); got != want {
				t.Errorf("%s: %q reads %q, want %q", b.name, tt.letters, got, want)
			}
		}
	}
}

// TestDots checks that no two letters have the same dots.
func TestDots(t *testing.T) {
	shapes := map[[8]byte]rune{}
	for _, r := range "æøåÆØÅáčđŋšŧžÁČĐŊŠŦŽàéèêóòôÉäöüÄÖÜ\\~" {
		dots, ok := display.Dots(r)
		if !ok {
			t.Errorf("no one has drawn %q", r)
		}
		if other, taken := shapes[dots]; taken {
			t.Errorf("%q looks as %q", r, other)
		}
		shapes[dots] = r
		if back, ok := display.LetterOf(dots); !ok || back != r {
			t.Errorf("the dots of %q are read as %q", r, back)
		}
	}
	if _, ok := display.Dots('x'); ok {
		t.Error("x is drawn, but every ROM has it")
	}
}
