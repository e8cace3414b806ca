package oled

import (
	"image"
	"image/draw"
	"strings"

	"periph.io/x/devices/v3/ssd1306/image1bit"

	"smartkiosk/device/display"
)

const (
	width, height = 128, 64
	rows, cols    = 5, 21 // of the small font
)

// dotsOf sets a content in dots.
func dotsOf(c display.Content) *image1bit.VerticalLSB {
	dots := image1bit.NewVerticalLSB(image.Rect(0, 0, width, height))
	switch {
	case c.Picture != nil:
		b := c.Picture.Bounds()
		at := image.Pt((width-b.Dx())/2, (height-b.Dy())/2)
		draw.Draw(dots, image.Rectangle{at, at.Add(b.Size())}, c.Picture, b.Min, draw.Src)
	case c.Layout == display.Heading:
		bold.write(dots, 0, 1, 1, 1, c.Cells[0][:width/bold.width])
		for i, row := range c.Cells[1:] {
			small.write(dots, 1, 16+small.height*i, 1, 1, row)
		}
	case c.Layout == display.Large:
		for i, row := range c.Cells[:2] {
			large(dots, i*height/2, row)
		}
	default:
		for i, row := range c.Cells {
			small.write(dots, 1, 2+small.height*i, 1, 1, row)
		}
		mark(dots, c.Cursor)
	}
	return dots
}

// large sets a row in half the display's height: of up to 10 letters twice as
// wide and high as the small font's, of up to 16 in the bold font twice as
// high.
func large(dots *image1bit.VerticalLSB, y int, row []rune) {
	letters := []rune(strings.TrimRight(string(row), " "))
	letters = letters[:min(len(letters), width/bold.width)]
	if len(letters)*small.width*2 <= width {
		small.write(dots, 2, y+4, 2, 2, letters)
		return
	}
	bold.write(dots, 0, y+3, 1, 2, letters)
}

// mark shows the cursor: a line under the cell, or the cell turned about,
// standing for blinking, which would take a write for each blink.
func mark(dots *image1bit.VerticalLSB, c display.Cursor) {
	x, y := 1+small.width*c.Col, 2+small.height*c.Row
	for i := range small.width * small.height {
		dx, dy := i%small.width, i/small.width
		if c.Blinking || c.Underlined && dy == small.height-1 {
			dots.SetBit(x+dx, y+dy, !dots.BitAt(x+dx, y+dy))
		}
	}
}
