// Package display shows text on the displays that one buys for a front panel,
// and keeps showing the right thing when they are pulled, stuck or reset.
//
// A display is put together from three layers. A [Part] is one kind of
// controller at one kind of bus and knows how to make its cells show a grid of
// letters, writing only those that changed. [Text] gives any part the manners
// of a [periph.io/x/conn/v3/display.TextDisplay], and shows whole frames. A
// [Keeper] shows the latest frame from a goroutine of its own, so that its user
// never waits for a display, and opens the display again whenever it failed:
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
// None of these was proven on hardware. "Playback" is a golden sequence of
// bytes, from the data sheet's own example where it has one; "simulated" is the
// part as displaysim plays it; "pty" is a pseudo-terminal behind
// github.com/tarm/serial; "kernel" is the simulated part behind the lines, the I²C
// bus or the terminal of a kernel, with a whole kiosk before it (deploy/bench).
//
//	part                        package     letters                   notices a loss of power   proven on
//	HD44780 16x2, 20x4, GPIO    hd44780     ROM, CGRAM                no: written anew each min playback, simulated pins, kernel
//	the same behind a PCF8574   hd44780     ROM, CGRAM                reads R/W and E back      playback, simulated I²C, kernel
//	SSD1306 128x64              oled        own fonts, images         reads the status          playback, simulated I²C, kernel
//	SSD1309 128x64              oled        own fonts, images         reads the status          simulated I²C
//	SH1106 128x64               oled        own fonts, images         reads the status          playback, simulated I²C, kernel
//	SerLCD 16x2, 20x4           serialtext  ASCII, 8 taught letters   no: written anew each min playback, simulated, pty, kernel (16x2)
//	Matrix Orbital LK204-7T     serialtext  ASCII, 8 taught letters   no: written anew each min playback, simulated, pty, kernel
//	Epson DM-D110, ESC/POS      serialtext  code page 865             no: written anew each min playback, simulated, pty, kernel
//
// An OLED that does not answer reads is written anew each
// minute, too, and so is the HD44780 behind a PCF8574, which alone answers.
package display
