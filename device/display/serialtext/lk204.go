package serialtext

import (
	"bytes"

	"periph.io/x/conn/v3/display"
	"periph.io/x/devices/v3/matrixorbital"

	ours "smartkiosk/device/display"
)

// NewLK204 returns the driver of a Matrix Orbital LK204-7T, 4 rows of 20. The
// factory setting is 19200 baud.
func NewLK204(port Port) *Part {
	d := &lk204{}
	d.periph = matrixorbital.NewWriterLK2047T(&d.out, 4, 20)
	return newPart(port, d)
}

// lk204 uses periph's driver for the commands that it has, and sends the others
// itself.
type lk204 struct {
	periph *matrixorbital.LK2047T
	out    bytes.Buffer // what periph has written
}

// Commands that periph's driver lacks, after 0xfe (manual, sections "Text" and
// "Special characters").
const (
	lkCommand = 0xfe
	lkNoWrap  = 0x44
	lkTeach   = 0x4e
)

func (d *lk204) String() string         { return "LK204-7T 20x4" }
func (d *lk204) size() (rows, cols int) { return 4, 20 }

func (d *lk204) encoder() *ours.Encoder { return ours.NewEncoder(lkASCII, ours.Slots) }

func (d *lk204) remembers() bool { return false }

// lkASCII is the part of ASCII that the manual's character table has.
func lkASCII(r rune) (byte, bool) {
	return byte(r), r >= ' ' && r < '~' && r != '\\'
}

func (d *lk204) start(b *bytes.Buffer) {
	b.Write([]byte{lkCommand, lkNoWrap})
	d.append(b, d.periph.AutoScroll(false), d.periph.Clear())
}

func (d *lk204) teach(b *bytes.Buffer, l ours.Load) {
	b.Write([]byte{lkCommand, lkTeach, byte(l.Slot)})
	b.Write(l.Dots[:])
}

// move converts to the module's positions, which count from 1.
func (d *lk204) move(b *bytes.Buffer, row, col int) { d.append(b, d.periph.MoveTo(row+1, col+1)) }

func (d *lk204) cell(b *bytes.Buffer, code byte) { b.WriteByte(code) }

func (d *lk204) switchOn(b *bytes.Buffer) {
	d.append(b, d.periph.Display(true), d.periph.Cursor(display.CursorOff))
}

// append moves the bytes that periph's driver wrote to the message. The driver's
// errors could only come from writing to the buffer, which never fails.
func (d *lk204) append(b *bytes.Buffer, _ ...error) { d.out.WriteTo(b) }
