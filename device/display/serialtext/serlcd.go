package serialtext

import (
	"bytes"
	"fmt"

	"periph.io/x/devices/v3/serlcd"

	"smartkiosk/device/display"
)

// NewSerLCD takes SparkFun's SerLCD with the OpenLCD firmware, 2 rows of 16 or
// 4 of 20. It leaves the factory with 9600 baud.
//
// A taught letter is also written to the module's EEPROM, which bears some
// 100000 writes: the slots keep their letters, and are seldom taught them anew
// (see Start).
func NewSerLCD(port Port, rows, cols int) (*Part, error) {
	if !(rows == 2 && cols == 16 || rows == 4 && cols == 20) {
		return nil, fmt.Errorf("a SerLCD has 2 rows of 16 or 4 of 20 letters, not %d of %d", rows, cols)
	}
	d := &serLCD{rows: rows, cols: cols}
	d.periph = serlcd.NewSerLCD(&d.out, rows, cols)
	return newPart(port, d), nil
}

// serLCD takes its places from periph's driver. The rest of that does not serve
// here: its Display(false) switches back and forth, its text is not freed of
// the signs that begin commands, and it knows no taught letters.
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

// serASCII leaves out the sign that begins a setting and, as the HD44780's
// A00 does, backslash and tilde.
func serASCII(r rune) (byte, bool) {
	return byte(r), r >= ' ' && r < '~' && r != '\\' && r != serSetting
}

// start clears the module. One that was in the midst of a command may swallow
// that; then the next time that everything is written mends it.
func (d *serLCD) start(b *bytes.Buffer) { b.Write([]byte{serSetting, serClear}) }

func (d *serLCD) teach(b *bytes.Buffer, l display.Load) {
	b.Write([]byte{serSetting, serTeach + byte(l.Slot)})
	b.Write(l.Dots[:])
}

func (d *serLCD) move(b *bytes.Buffer, row, col int) {
	d.out.Reset()
	d.periph.MoveTo(row, col) // a buffer takes everything
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
