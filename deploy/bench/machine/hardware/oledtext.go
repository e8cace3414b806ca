//go:build linux

package hardware

import (
	"fmt"
	"image"
	"strings"

	"periph.io/x/devices/v3/ssd1306/image1bit"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/oled"
)

// oledReader reads the text that the dots of a panel show. It learns the letters
// from the driver, which draws each of them on a panel of its own.
type oledReader struct {
	cells   [][]image.Rectangle
	letters map[string]rune // by their dots (dotsOf)
}

// newOLEDReader returns a reader of texts in a layout.
func newOLEDReader(layout display.Layout) (*oledReader, error) {
	r := &oledReader{cells: oledCells(layout), letters: map[string]rune{}}
	glass := displaysim.NewOLED("SSD1306")
	panel, err := oled.New(&displaysim.I2C{Address: 0x3c, Target: glass, Hertz: 400000, Clock: &displaysim.Clock{}}, 0x3c, oled.SSD1306)
	if err != nil {
		return nil, err
	}
	if err := panel.Start(); err != nil {
		return nil, err
	}
	for letter := range rune(0x180) {
		if letter < ' ' || letter > '~' && letter < 0xa1 {
			continue
		}
		content := display.Content{Layout: layout}
		rows, cols := panel.Size()
		for range rows {
			content.Cells = append(content.Cells, []rune(strings.Repeat(string(letter), cols)))
		}
		if err := panel.Draw(content); err != nil {
			return nil, err
		}
		for _, row := range r.cells {
			dots := dotsOf(glass.Dots(), row[0])
			if _, known := r.letters[dots]; !known { // the first of letters that look alike
				r.letters[dots] = letter
			}
		}
	}
	return r, nil
}

// oledCells returns where the letters are (device/display/oled, layout.go).
func oledCells(layout display.Layout) (rows [][]image.Rectangle) {
	row := func(x, y, width, height, letters int) {
		var cells []image.Rectangle
		for i := range letters {
			cells = append(cells, image.Rect(x+i*width, y, x+(i+1)*width, y+height))
		}
		rows = append(rows, cells)
	}
	switch layout {
	case display.Heading:
		row(0, 1, 8, 13, 16)
		for i := range 4 {
			row(1, 16+12*i, 6, 12, 21)
		}
	case display.Large:
		for i := range 2 {
			row(0, 32*i+3, 8, 26, 16)
		}
	default:
		for i := range 5 {
			row(1, 2+12*i, 6, 12, 21)
		}
	}
	return rows
}

// read returns the text, a string for each row, with U+FFFD for what is not a
// letter.
func (r *oledReader) read(dots *image1bit.VerticalLSB) []string {
	var text []string
	for _, cells := range r.cells {
		row := ""
		for _, cell := range cells {
			letter, ok := r.letters[dotsOf(dots, cell)]
			if !ok {
				letter = '\uFFFD'
			}
			row += string(letter)
		}
		text = append(text, row)
	}
	return text
}

// dotsOf returns the size and the dots of a cell as a text. Fonts differ in size.
func dotsOf(dots *image1bit.VerticalLSB, cell image.Rectangle) string {
	var b strings.Builder
	fmt.Fprint(&b, cell.Size())
	for y := cell.Min.Y; y < cell.Max.Y; y++ {
		for x := cell.Min.X; x < cell.Max.X; x++ {
			if dots.BitAt(x, y) {
				b.WriteByte('#')
			} else {
				b.WriteByte('.')
			}
		}
	}
	return b.String()
}
