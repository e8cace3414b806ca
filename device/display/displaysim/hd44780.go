package displaysim

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"smartkiosk/device/display"
)

// Clock is the time of a simulated bus: it goes on only as bytes are sent and
// as a driver waits, so that a driver that is too fast is found out however
// slow the machine is. The zero value is ready.
type Clock struct{ now atomic.Int64 }

// Wait goes on by d. It is what a driver is given to wait with.
func (c *Clock) Wait(d time.Duration) { c.now.Add(int64(d)) }

// Now is the time since the clock was made.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// HD44780 is a controller in its module, as seen from its pins: 4-bit wiring,
// R/W on ground, ROM A00. It checks the times of the datasheet's table 6 and
// figure 24 by its clock.
type HD44780 struct {
	Rows, Cols int
	// Faults lists what a real controller might not have borne.
	Faults []string
	// Written lists the cells that data was written to, as row*Cols+col, in
	// order. A test may empty it.
	Written []int

	clock *Clock

	ddram     [128]byte
	cgram     [64]byte
	address   int
	inCGRAM   bool
	on        bool
	increment bool

	fourBit bool
	upper   byte // of the byte that is clocked in
	half    bool
	busy    time.Duration // until then
	started int           // how many of figure 24's function sets came
	e       bool
}

// NewHD44780 makes a module that has just been given power.
func NewHD44780(rows, cols int, clock *Clock) *HD44780 {
	h := &HD44780{Rows: rows, Cols: cols, clock: clock}
	h.PowerCycle()
	return h
}

// PowerCycle takes the power for a moment. RAM holds noise afterwards, as it
// does where the supply rises too slowly for the internal reset.
func (h *HD44780) PowerCycle() {
	for i := range h.ddram {
		h.ddram[i] = byte(0x80 + i*37%100)
	}
	for i := range h.cgram {
		h.cgram[i] = byte(i * 11 % 31)
	}
	h.on, h.increment, h.inCGRAM = false, true, false
	h.fourBit, h.half, h.started, h.e = false, false, 0, false
	h.busy = h.clock.Now() + 40*time.Millisecond
}

// Pins sets the lines to the module. Data is taken when E falls.
func (h *HD44780) Pins(rs, e bool, d byte) {
	fell := h.e && !e
	h.e = e
	if !fell {
		return
	}
	if !h.fourBit {
		h.execute(rs, d<<4)
		return
	}
	if h.half = !h.half; h.half {
		h.upper = d << 4
		return
	}
	h.execute(rs, h.upper|d&15)
}

func (h *HD44780) execute(rs bool, b byte) {
	if h.clock.Now() < h.busy {
		h.Faults = append(h.Faults, fmt.Sprintf("%v %#02x came %v before the last was done", rs, b, h.busy-h.clock.Now()))
	}
	h.busy = h.clock.Now() + 37*time.Microsecond
	if rs {
		h.busy += 4 * time.Microsecond
		h.data(b)
		return
	}
	switch {
	case b&0x80 != 0:
		h.address, h.inCGRAM = int(b&0x7f), false
	case b&0x40 != 0:
		h.address, h.inCGRAM = int(b&0x3f), true
	case b&0x20 != 0:
		h.functionSet(b)
	case b&0x10 != 0: // cursor or display shift: no driver of ours sends it
		h.Faults = append(h.Faults, "the display was shifted")
	case b&0x08 != 0:
		h.on = b&4 != 0
	case b&0x04 != 0:
		h.increment = b&2 != 0
	case b&0x02 != 0:
		h.address, h.inCGRAM = 0, false
		h.busy = h.clock.Now() + 1520*time.Microsecond
	case b&0x01 != 0:
		for i := range h.ddram {
			h.ddram[i] = ' '
		}
		h.address, h.inCGRAM, h.increment = 0, false, true
		h.busy = h.clock.Now() + 1520*time.Microsecond
	}
}

// functionSet knows the first ones of figure 24 by their order.
func (h *HD44780) functionSet(b byte) {
	h.fourBit = b&0x10 == 0
	if b>>4 != 3 {
		return
	}
	h.half = false
	switch h.started++; h.started {
	case 1:
		h.busy = h.clock.Now() + 4100*time.Microsecond
	case 2:
		h.busy = h.clock.Now() + 100*time.Microsecond
	}
}

func (h *HD44780) data(b byte) {
	step := 1
	if !h.increment {
		step = -1
	}
	if h.inCGRAM {
		h.cgram[h.address] = b
		h.address = (h.address + step) & 0x3f
		return
	}
	h.ddram[h.address] = b
	if cell := h.cell(h.address); cell >= 0 {
		h.Written = append(h.Written, cell)
	}
	switch h.address += step; h.address { // two lines of 40
	case 0x28:
		h.address = 0x40
	case 0x68:
		h.address = 0
	case 0x3f:
		h.address = 0x27
	case -1:
		h.address = 0x67
	case 0x80:
		h.address = 0
	}
}

// cell is the place of an address on the glass, -1 beside it.
func (h *HD44780) cell(address int) int {
	for cell := range h.Rows * h.Cols {
		if h.addressOf(cell/h.Cols, cell%h.Cols) == address {
			return cell
		}
	}
	return -1
}

// addressOf: datasheet, figures 5 to 8, and for four rows the module's own.
func (h *HD44780) addressOf(row, col int) int {
	return []int{0, 0x40, h.Cols, 0x40 + h.Cols}[row] + col
}

// Code gives the byte in a cell.
func (h *HD44780) Code(row, col int) byte { return h.ddram[h.addressOf(row, col)] }

// On tells whether the display shows anything.
func (h *HD44780) On() bool { return h.on }

// Text reads the glass, a string for each row: a letter of ROM or CGRAM that no
// one knows is U+FFFD. It is empty when the display is off.
func (h *HD44780) Text() []string {
	text := make([]string, h.Rows)
	for row := range text {
		var b strings.Builder
		for col := range h.Cols {
			if h.on {
				b.WriteRune(h.letter(h.Code(row, col)))
			}
		}
		text[row] = b.String()
	}
	return text
}

func (h *HD44780) letter(code byte) rune {
	if code < 16 {
		if r, ok := display.LetterOf(h.glyph(code)); ok {
			return r
		}
		return '\uFFFD'
	}
	return romLetter(code)
}

func (h *HD44780) glyph(code byte) (dots [8]byte) {
	for i := range dots {
		dots[i] = h.cgram[int(code&7)*8+i] & 0x1f
	}
	return dots
}

// romLetter reads ROM A00 (datasheet, table 4) as far as drivers use it.
func romLetter(code byte) rune {
	for i, c := range []byte{0xe1, 0xef, 0xf5, 0xee, 0xdf, 0xe4, 0x7e, 0x7f} {
		if c == code {
			return []rune("äöüñ°µ→←")[i]
		}
	}
	if code >= ' ' && code < 0x7e && code != '\\' {
		return rune(code)
	}
	return '\uFFFD'
}
