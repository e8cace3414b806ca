package oled

import (
	"image"
	"image/draw"

	"periph.io/x/devices/v3/ssd1306/image1bit"

	"smartkiosk/device/display"
)

const (
	width, height = 128, 64
	rows, cols    = 5, 21 // of the small font
)

// dotsOf draws a content as dots.
func dotsOf(c display.Content) *image1bit.VerticalLSB {
	small, bold := small(), bold()
	dots := image1bit.NewVerticalLSB(image.Rect(0, 0, width, height))
	switch {
	case c.Picture != nil && c.Layout == display.Beside:
		centre(dots, image.Rect(0, 0, height, height), c.Picture)
		for i, row := range c.Cells {
			small.write(dots, width-display.BesideLetters*small.width, 2+small.height*i, 1, row[:display.BesideLetters])
		}
	case c.Picture != nil:
		centre(dots, dots.Bounds(), c.Picture)
	case c.Layout == display.Heading:
		bold.write(dots, 0, 1, 1, c.Cells[0][:width/bold.width])
		for i, row := range c.Cells[1:] {
			small.write(dots, 1, 16+small.height*i, 1, row)
		}
	case c.Layout == display.Large:
		for i, row := range c.Cells[:2] {
			bold.write(dots, 0, i*height/2+3, 2, row[:width/bold.width])
		}
	default:
		for i, row := range c.Cells {
			small.write(dots, 1, 2+small.height*i, 1, row)
		}
	}
	return dots
}

// centre draws a picture in the middle of an area.
func centre(dots draw.Image, in image.Rectangle, picture image.Image) {
	b := picture.Bounds()
	at := in.Min.Add(in.Size().Sub(b.Size()).Div(2))
	draw.Draw(dots, image.Rectangle{at, at.Add(b.Size())}.Intersect(in), picture, b.Min, draw.Src)
}
