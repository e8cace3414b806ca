package serialtext

import (
	"bytes"

	"golang.org/x/text/encoding/charmap"

	"smartkiosk/device/display"
)

// NewDMD110 returns the driver of a customer display of 2 rows of 20 with the
// ESC/POS commands of Epson's DM-D110. Displays of other makes mostly have an
// "Epson mode", which a switch selects, and 9600 baud.
func NewDMD110(port Port) *Part { return newPart(port, dmd110{}) }

type dmd110 struct{}

func (dmd110) String() string         { return "DM-D110 20x2" }
func (dmd110) size() (rows, cols int) { return 2, 20 }

// encoder has no slots. Code page 865 has the letters of Norwegian and, of the
// Sami letters, á. The display could be taught the others (ESC &), but the
// specification does not say which bit is the uppermost dot.
func (dmd110) encoder() *display.Encoder { return display.NewEncoder(cp865, 0) }

func (dmd110) remembers() bool { return false }

func cp865(r rune) (byte, bool) {
	if r < ' ' || r == 0x7f || r == '\u00a0' { // some displays show the last one as a block
		return 0, false
	}
	return charmap.CodePage865.EncodeRune(r)
}

// start follows the specification, section 5.4.
func (dmd110) start(b *bytes.Buffer) {
	b.Write([]byte{
		0x1b, '=', 2, // ESC =: the following bytes are for the display, not for a printer behind it
		0x1b, '@', // ESC @: the state at power on, cleared
		0x1b, 'R', 0, // ESC R: ASCII signs of the USA
		0x1b, 't', 5, // ESC t: the upper half is code page 865
		0x1f, 1, // US MD1: overwrite, do not scroll
	})
}

func (dmd110) teach(*bytes.Buffer, display.Load) {}

// move uses US $, whose parameters are the column and the row, counted from 1.
func (dmd110) move(b *bytes.Buffer, row, col int) {
	b.Write([]byte{0x1f, '$', byte(col + 1), byte(row + 1)})
}

func (dmd110) cell(b *bytes.Buffer, code byte) { b.WriteByte(code) }

// switchOn hides the cursor (US C) and stops the blinking (US E).
func (dmd110) switchOn(b *bytes.Buffer) { b.Write([]byte{0x1f, 'C', 0, 0x1f, 'E', 0}) }
