package serialtext

import (
	"bytes"
	"fmt"

	"periph.io/x/devices/v3/serlcd"

	"smartkiosk/device/display"
)

// NewSerLCD returns the driver of SparkFun's SerLCD with the OpenLCD firmware, 2
// rows of 16 or 4 of 20. The factory setting is 9600 baud.
//
// The module also writes a taught letter to its EEPROM, which withstands about
// 100000 writes. The slots therefore keep their letters, and are rarely taught
// them again (see Start).
func NewSerLCD(port Port, rows, cols int) (*Part, error) {
	if !(rows == 2 && cols == 16 || rows == 4 && cols == 20) {
		return nil, fmt.Errorf("a SerLCD has 2 rows of 16 or 4 of 20 letters, not %d of %d", rows, cols)
	}
	d := &serLCD{rows: rows, cols: cols}
	d.periph = serlcd.NewSerLCD(&d.out, rows, cols)
	return newPart(port, d), nil
}

// serLCD uses periph's driver only for positions. The rest of that driver is not
// suitable: its Display(false) toggles the display, it does not remove the signs
// that begin commands from text, and it has no taught letters.
type serLCD struct {
	rows, cols int
	periph     *serlcd.Dev
	out        bytes.Buffer // what periph has written
}

const (
	serSetting   = '|'  // the next byte is a setting
	serCommand   = 0xfe // the next byte is an instruction of the HD44780
	serClear     = 0x2d
	serTeach     = 27   // to 34: eight rows of dots follow
	serShow      = 35   // to 42: show a taught letter
	serDisplayOn = 0x0c // HD44780 datasheet, table 6: display on, no cursor
)

func (d *serLCD) String() string         { return fmt.Sprintf("SerLCD %dx%d", d.cols, d.rows) }
func (d *serLCD) size() (rows, cols int) { return d.rows, d.cols }

func (d *serLCD) encoder() *display.Encoder { return display.NewEncoder(serASCII, display.Slots) }

func (d *serLCD) remembers() bool { return true }

// serASCII leaves out the sign that begins a setting and, like the HD44780's A00,
// backslash and tilde.
func serASCII(r rune) (byte, bool) {
	return byte(r), r >= ' ' && r < '~' && r != '\\' && r != serSetting
}

// start clears the module. A module that is in the middle of a command may miss
// this; then the next full write corrects it.
func (d *serLCD) start(b *bytes.Buffer) { b.Write([]byte{serSetting, serClear}) }

func (d *serLCD) teach(b *bytes.Buffer, l display.Load) {
	b.Write([]byte{serSetting, serTeach + byte(l.Slot)})
	b.Write(l.Dots[:])
}

func (d *serLCD) move(b *bytes.Buffer, row, col int) {
	d.out.Reset()
	d.periph.MoveTo(row, col) // a buffer accepts everything
	b.Write(d.out.Bytes())
}

func (d *serLCD) cell(b *bytes.Buffer, code byte) {
	if code < display.Slots {
		b.Write([]byte{serSetting, serShow + code})
		return
	}
	b.WriteByte(code)
}

func (d *serLCD) switchOn(b *bytes.Buffer) { b.Write([]byte{serCommand, serDisplayOn}) }
