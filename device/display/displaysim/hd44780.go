package displaysim

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"smartkiosk/device/display"
)

// Clock is the time of a simulated bus. It advances only while bytes are sent and
// while a driver waits, so that a test finds a driver that is too fast even on a
// slow machine. The zero value is ready to use.
type Clock struct{ now atomic.Int64 }

// Wait advances the clock by d. A test passes it to the driver as its sleep
// function.
func (c *Clock) Wait(d time.Duration) { c.now.Add(int64(d)) }

// Now returns the time since the clock was made.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// HD44780 is a module with one controller, as seen from its pins: 4-bit wiring,
// R/W to ground, ROM A00. It checks the times of the datasheet's table 6 and
// figure 24 by its clock.
type HD44780 struct {
	Rows, Cols int
	// Faults lists what a real controller might not have accepted.
	Faults []string
	// Written lists the cells that data was written to, in order, as
	// row*Cols+col. A test may reset it.
	Written []int

	clock *Clock

	ddram     [128]byte
	cgram     [64]byte
	address   int
	inCGRAM   bool
	on        bool
	increment bool

	fourBit bool
	upper   byte // nibble of the byte that is being clocked in
	half    bool
	busy    time.Duration // the controller accepts nothing before this time
	started int           // function sets of figure 24 so far
	e       bool
}

// NewHD44780 returns a module that was just powered on.
func NewHD44780(rows, cols int, clock *Clock) *HD44780 {
	h := &HD44780{Rows: rows, Cols: cols, clock: clock}
	h.PowerCycle()
	return h
}

// PowerCycle switches the power off and on. Afterwards RAM holds noise, as it does
// when the supply rises too slowly for the internal reset.
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

// Pins sets the lines to the module, which reads its data lines when E falls.
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

func kind(rs bool) string {
	if rs {
		return "data"
	}
	return "instruction"
}

func (h *HD44780) execute(rs bool, b byte) {
	if h.clock.Now() < h.busy {
		h.Faults = append(h.Faults, fmt.Sprintf("%s %#02x came %v before the controller was ready", kind(rs), b, h.busy-h.clock.Now()))
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
	case b&0x10 != 0: // cursor or display shift, which our drivers never send
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

// functionSet executes a function set. The first two of figure 24 take longer
// than the others.
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

// cell returns the cell that shows an address, or -1 when no cell does.
func (h *HD44780) cell(address int) int {
	for cell := range h.Rows * h.Cols {
		if h.addressOf(cell/h.Cols, cell%h.Cols) == address {
			return cell
		}
	}
	return -1
}

// addressOf returns the address of a cell (datasheet, figures 5 to 8; four rows
// as modules wire them).
func (h *HD44780) addressOf(row, col int) int {
	return []int{0, 0x40, h.Cols, 0x40 + h.Cols}[row] + col
}

// Code returns the byte in a cell.
func (h *HD44780) Code(row, col int) byte { return h.ddram[h.addressOf(row, col)] }

// On reports whether the display is switched on.
func (h *HD44780) On() bool { return h.on }

// Text returns what the display shows, a string for each row. An unknown letter of
// ROM or CGRAM is U+FFFD. The rows are empty when the display is off.
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

// romLetter returns the letter of a code in ROM A00 (datasheet, table 4), for the
// codes that our drivers use.
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
