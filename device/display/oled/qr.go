package oled

import (
	"fmt"
	"image"

	"periph.io/x/devices/v3/ssd1306/image1bit"
	"rsc.io/qr"
)

// quiet is how many light modules surround a code (ISO/IEC 18004, section
// 6.3.8).
const quiet = 4

// QR makes a picture of a QR code that fills the display's height: the light
// modules lit. Up to 53 bytes (version 3, 29 modules) get two dots a module; above
// and below them the quiet zone is as narrow as 3 dots, the display's dark
// edge beside it. Up to 230 bytes (version 9) get one dot a module, which wants
// a steady hand. More is an error.
func QR(text string) (image.Image, error) {
	code, err := smallest(text)
	if err != nil {
		return nil, err
	}
	dot := 2
	if code.Size*dot > height {
		dot = 1
	}
	if code.Size*dot > height-2*quiet && dot == 1 {
		return nil, fmt.Errorf("cannot show a QR code of %d modules on %d dots", code.Size, height)
	}
	side := (code.Size + 2*quiet) * dot
	picture := image1bit.NewVerticalLSB(image.Rect(0, 0, side, height))
	margin := (height - code.Size*dot) / 2
	for y := range height {
		for x := range side {
			black := code.Black((x-quiet*dot)/dot, (y-margin)/dot) && x >= quiet*dot && y >= margin
			picture.SetBit(x, y, image1bit.Bit(!black))
		}
	}
	return picture, nil
}

// smallest takes the stronger correction (15 %) where it costs no dots.
func smallest(text string) (*qr.Code, error) {
	weak, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("cannot make a QR code of %d bytes: %v", len(text), err)
	}
	if strong, err := qr.Encode(text, qr.M); err == nil && strong.Size == weak.Size {
		return strong, nil
	}
	return weak, nil
}
