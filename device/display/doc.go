// Package display shows text on the displays that are sold for front panels. It
// keeps showing the right text when a display is unplugged, hangs or is reset.
//
// A display consists of three layers. A [Part] is the driver of one kind of
// controller on one kind of bus. It makes the controller's cells show a grid of
// letters and writes only those that changed. [Text] shows whole frames on any
// part. A [Keeper] shows the latest frame from its own goroutine, so that its
// user never waits for a display, and it reopens a display that failed:
//
//	keeper := display.Keep(func() (display.Device, error) {
//		bus, err := i2creg.Open("")
//		if err != nil {
//			return nil, err
//		}
//		backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, time.Sleep)
//		if err != nil {
//			return nil, err
//		}
//		lcd, err := hd44780.New(backpack, 4, 20, hd44780.AnyROM)
//		if err != nil {
//			return nil, err
//		}
//		return display.NewText(lcd)
//	}, func(err error) { … })
//	keeper.Show(display.Frame{Rows: []string{"Sett inn kortet"}})
//
// # Parts
//
// No part was tested on hardware. "Playback" is a golden sequence of bytes, from
// the data sheet's own example if it has one. "Simulated" is the part as
// displaysim simulates it. "Pty" is a pseudo-terminal behind
// github.com/tarm/serial. "Kernel" is the simulated part behind a kernel's lines,
// I²C bus or terminal, driven by a whole kiosk (deploy/bench).
//
//	part                        package     letters                   notices a loss of power   tested on
//	HD44780 16x2, 20x4, GPIO    hd44780     ROM, CGRAM                no: rewritten each minute playback, simulated pins, kernel
//	the same behind a PCF8574   hd44780     ROM, CGRAM                reads R/W and E back      playback, simulated I²C, kernel
//	SSD1306 128x64              oled        own fonts, images         reads the status          playback, simulated I²C, kernel
//	SSD1309 128x64              oled        own fonts, images         reads the status          simulated I²C
//	SH1106 128x64               oled        own fonts, images         reads the status          playback, simulated I²C, kernel
//	SerLCD 16x2, 20x4           serialtext  ASCII, 8 taught letters   no: rewritten each minute playback, simulated, pty, kernel (16x2)
//	Matrix Orbital LK204-7T     serialtext  ASCII, 8 taught letters   no: rewritten each minute playback, simulated, pty, kernel
//	Epson DM-D110, ESC/POS      serialtext  code page 865             no: rewritten each minute playback, simulated, pty, kernel
//
// An OLED that cannot be read is also rewritten each minute. So is an HD44780
// behind a PCF8574, because a read reaches only the PCF8574.
package display
