package frontpanel

import (
	"image"
	"image/color"
)

const (
	codeDots   = 64 // height of a graphics display
	moduleDots = 2  // of a QR code's module; one dot is too small for a phone's camera
)

// codePicture draws a QR code in whole modules, dark on lit dots, and lights the rest of the
// square as its quiet zone: 7 dots for version 2, 3 dots for version 3. The dark glass
// around it makes a wider zone look no different. It returns nil for a code that does not
// fit.
func codePicture(code []string) image.Image {
	if len(code)*moduleDots > codeDots-moduleDots {
		return nil
	}
	picture := image.NewGray(image.Rect(0, 0, codeDots, codeDots))
	edge := (codeDots - len(code)*moduleDots) / 2
	for y := range codeDots {
		for x := range codeDots {
			picture.SetGray(x, y, color.Gray{0xff})
			if row, column := (y-edge)/moduleDots, (x-edge)/moduleDots; y >= edge && x >= edge && row < len(code) && column < len(code) && code[row][column] == '1' {
				picture.SetGray(x, y, color.Gray{})
			}
		}
	}
	return picture
}
