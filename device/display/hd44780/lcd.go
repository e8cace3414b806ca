package hd44780

import (
	"fmt"
	"slices"
	"time"

	"smartkiosk/device/display"
)

// Instructions (datasheet, table 6).
const (
	returnHome     = 0x02
	entryIncrement = 0x06
	displayOn      = 0x0c // no cursor, no blinking
	fourBitTwoLine = 0x28
	setCGRAM       = 0x40
	setDDRAM       = 0x80
)

// Waits for the execution times. The datasheet's times are for an oscillator of
// 270 kHz. The oscillator may run at 190 kHz (table "AC characteristics"), so
// each wait is 1.42 times as long.
const (
	afterPower    = 50 * time.Millisecond   // figure 24: more than 40 ms at 2.7 V
	afterFirst    = 6 * time.Millisecond    // figure 24: more than 4.1 ms
	afterSecond   = 150 * time.Microsecond  // figure 24: more than 100 µs
	afterHome     = 2200 * time.Microsecond // table 6: 1.52 ms
	afterOrdinary = 58 * time.Microsecond   // table 6: 37 µs, 41 with the address counter's update
)

// Bus puts nibbles on the controller's pins D4 to D7 and clocks them in by E. R/W
// stays low.
type Bus interface {
	fmt.Stringer
	// Nibble clocks in the lower 4 bits of n as an instruction.
	Nibble(n byte) error
	// Byte clocks in an instruction or, if data is set, a byte for the RAM: the
	// upper nibble first. It then leaves the controller the time of an ordinary
	// instruction.
	Byte(data bool, b byte) error
	// Wait sends everything to the controller and then waits.
	Wait(time.Duration) error
	// Check has the contract of [display.Part].
	Check() error
	Close() error
}

// ROM is the character set of a controller.
type ROM int

const (
	// AnyROM uses only the characters that every controller has: ASCII without
	// backslash and tilde.
	AnyROM ROM = iota
	// A00 is the common ROM, with Japanese and a few European letters.
	A00
	// A02 is the European ROM. Modules that are sold as A02 differ, so look at
	// the letters before you use it.
	A02
)

// LCD is a module of 2 or 4 rows with one controller. It is a [display.Part].
type LCD struct {
	bus        Bus
	rows, cols int
	encoder    *display.Encoder
	rom        ROM

	shown   []byte // per cell; nil after Start
	address int    // where the next data byte goes; -1 if unknown
	on      bool   // the display has been switched on
}

// New returns the driver of a module of 2 rows with up to 40 columns, or of 4
// rows with up to 20.
func New(bus Bus, rows, cols int, rom ROM) (*LCD, error) {
	if rows*cols > 80 || cols < 1 || rows != 2 && rows != 4 {
		return nil, fmt.Errorf("cannot drive %d rows of %d: the HD44780 has 2 of up to 40 or 4 of up to 20", rows, cols)
	}
	if rom < AnyROM || rom > A02 {
		return nil, fmt.Errorf("unknown ROM %d", rom)
	}
	return &LCD{bus: bus, rows: rows, cols: cols, rom: rom}, nil
}

// String names the module and its bus.
func (l *LCD) String() string { return fmt.Sprintf("HD44780 %dx%d on %s", l.cols, l.rows, l.bus) }

// Size returns the rows and columns.
func (l *LCD) Size() (rows, cols int) { return l.rows, l.cols }

// Start initializes by instruction (datasheet, figure 24). That works in any
// state, even between two nibbles. Start does not clear the display, so that
// correct text does not flicker; Draw overwrites everything before it switches
// the display on. Start takes 60 ms.
func (l *LCD) Start() error {
	l.shown, l.address, l.on = nil, -1, false
	l.encoder = display.NewEncoder(charsets[l.rom], display.Slots)
	if err := l.bus.Wait(afterPower); err != nil {
		return err
	}
	for _, step := range []struct {
		nibble byte
		wait   time.Duration
	}{{3, afterFirst}, {3, afterSecond}, {3, afterSecond}, {2, afterSecond}} {
		if err := l.bus.Nibble(step.nibble); err != nil {
			return err
		}
		if err := l.bus.Wait(step.wait); err != nil {
			return err
		}
	}
	for _, instruction := range []byte{fourBitTwoLine, entryIncrement, returnHome} {
		if err := l.bus.Byte(false, instruction); err != nil {
			return err
		}
	}
	l.address = 0
	return l.bus.Wait(afterHome)
}

// Draw loads the letters that the ROM lacks, writes the cells that differ and, the
// first time, switches the display on.
func (l *LCD) Draw(c display.Content) error {
	codes, loads := l.encoder.Encode(c.Cells, l.shown)
	for _, load := range loads {
		if err := l.instruct(setCGRAM | byte(load.Slot)<<3); err != nil {
			return err
		}
		l.address = -1
		for _, row := range load.Dots {
			if err := l.bus.Byte(true, row); err != nil {
				return err
			}
		}
	}
	// The rows go in the order of their addresses: the third row begins where the
	// first one ends.
	for _, row := range []int{0, 2, 1, 3} {
		if row >= l.rows {
			continue
		}
		from, to := row*l.cols, (row+1)*l.cols
		var old []byte
		if l.shown != nil {
			old = l.shown[from:to]
		}
		for col, run := range display.Runs(old, codes[from:to]) {
			if err := l.write(l.addressOf(row, col), run); err != nil {
				return err
			}
		}
	}
	if !l.on {
		if err := l.instruct(displayOn); err != nil {
			return err
		}
		l.on = true
	}
	l.shown = codes
	return l.bus.Wait(0)
}

// addressOf returns the DDRAM address of a cell (datasheet, figures 5 and 7).
// Rows begin at 0x00 and 0x40. In a module of 4 rows the lower two begin where
// the upper two end.
func (l *LCD) addressOf(row, col int) int {
	return row%2*0x40 + row/2*l.cols + col
}

func (l *LCD) write(address int, run []byte) error {
	if address != l.address {
		if err := l.instruct(setDDRAM | byte(address)); err != nil {
			return err
		}
		l.address = address
	}
	for _, code := range run {
		if err := l.bus.Byte(true, code); err != nil {
			return err
		}
		switch l.address++; l.address { // a line of DDRAM is 40 long
		case 0x28:
			l.address = 0x40
		case 0x68:
			l.address = 0
		}
	}
	return nil
}

func (l *LCD) instruct(b byte) error { return l.bus.Byte(false, b) }

// Check checks the bus.
func (l *LCD) Check() error { return l.bus.Check() }

// Close closes the bus.
func (l *LCD) Close() error { return l.bus.Close() }

// charsets by ROM (datasheet, table 4).
var charsets = map[ROM]display.Charset{
	AnyROM: ascii,
	A00: func(r rune) (byte, bool) {
		if i := slices.Index(a00Letters, r); i >= 0 {
			return a00Codes[i], true
		}
		return ascii(r)
	},
	A02: func(r rune) (byte, bool) {
		if r == '\\' || r == '~' || r >= 0xc0 && r <= 0xff {
			return byte(r), true
		}
		return ascii(r)
	},
}

var (
	a00Letters = []rune("äöüñ°µ→←")
	a00Codes   = []byte{0xe1, 0xef, 0xf5, 0xee, 0xdf, 0xe4, 0x7e, 0x7f}
)

// ascii leaves out backslash and tilde, which A00 replaces by other characters.
func ascii(r rune) (byte, bool) {
	return byte(r), r >= ' ' && r < '~' && r != '\\'
}
