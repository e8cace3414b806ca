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
	displayControl = 0x08
	displayOn      = 0x04
	cursorOn       = 0x02
	blinkOn        = 0x01
	fourBitTwoLine = 0x28
	setCGRAM       = 0x40
	setDDRAM       = 0x80
)

// Execution times and waits. The datasheet's hold at 270 kHz; the oscillator
// may be as slow as 190 kHz (table "AC characteristics"), so they are taken
// 1.42 times.
const (
	afterPower    = 50 * time.Millisecond   // figure 24: more than 40 ms at 2.7 V
	afterFirst    = 6 * time.Millisecond    // figure 24: more than 4.1 ms
	afterSecond   = 150 * time.Microsecond  // figure 24: more than 100 µs
	afterHome     = 2200 * time.Microsecond // table 6: 1.52 ms
	afterOrdinary = 58 * time.Microsecond   // table 6: 37 µs, 41 with the address counter's update
)

// Bus brings nibbles to the controller's D4 to D7 and clocks them in by E; R/W
// stays low.
type Bus interface {
	fmt.Stringer
	// Nibble clocks in the lower 4 bits of n as an instruction.
	Nibble(n byte) error
	// Byte clocks in an instruction or, with data, a byte for the RAM, upper
	// nibble first, and leaves it the time of an ordinary instruction.
	Byte(data bool, b byte) error
	// Wait makes sure that all has reached the controller, and then leaves it
	// this much time.
	Wait(time.Duration) error
	// Backlight switches the light, where the bus reaches it.
	Backlight(on bool) error
	// Check answers like [display.Part]'s.
	Check() error
	Close() error
}

// ROM is the set of letters that a controller was made with.
type ROM int

const (
	// AnyROM uses only what every controller has: ASCII but for two signs.
	AnyROM ROM = iota
	// A00 is the common one, with Japanese and a few European letters.
	A00
	// A02 is the European one. Modules sold as A02 differ: see that the
	// letters come out right before using it.
	A02
)

// LCD is a module of 2 or 4 rows with one controller. It is a [display.Part].
type LCD struct {
	bus        Bus
	rows, cols int
	encoder    *display.Encoder
	rom        ROM

	shown   []byte // per cell; nil after Start
	address int    // where the next data byte goes; -1 unknown
	control byte   // the last display control instruction; 0 unknown
}

// New takes 2 rows of up to 40 columns, or 4 of up to 20.
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

// Size gives rows and columns.
func (l *LCD) Size() (rows, cols int) { return l.rows, l.cols }

// Start initializes by instruction (datasheet, figure 24), which works from
// any state, also between two nibbles. It does not clear the display: nothing
// that is right is seen to go, and what is wrong is written over before the
// display is switched on. It takes 60 ms.
func (l *LCD) Start() error {
	l.shown, l.address, l.control = nil, -1, 0
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

// Draw writes the letters that are to be taught, the cells that differ and
// then the cursor.
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
	// In the order of their addresses: the third row goes on where the
	// first ends.
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
	if err := l.mark(c); err != nil {
		return err
	}
	l.shown = codes
	return l.bus.Wait(0)
}

// addressOf gives a cell's place in DDRAM (datasheet, figures 5 and 7): rows
// begin at 0x00 and 0x40, and the lower half of a module of 4 rows goes on
// where the upper ends.
func (l *LCD) addressOf(row, col int) int {
	return row%2*0x40 + row/2*l.cols + col
}

func (l *LCD) write(address int, run []byte) error {
	if err := l.seek(address); err != nil {
		return err
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

func (l *LCD) seek(address int) error {
	if address == l.address {
		return nil
	}
	l.address = address
	return l.instruct(setDDRAM | byte(address))
}

// mark sets the cursor, last because the controller shows it where the next
// byte goes.
func (l *LCD) mark(c display.Content) error {
	control := byte(displayControl | displayOn)
	if c.Cursor.Underlined {
		control |= cursorOn
	}
	if c.Cursor.Blinking {
		control |= blinkOn
	}
	if control&(cursorOn|blinkOn) != 0 {
		if err := l.seek(l.addressOf(c.Cursor.Row, c.Cursor.Col)); err != nil {
			return err
		}
	}
	if c.Off {
		control = displayControl
	}
	if err := l.bus.Backlight(!c.Off); err != nil {
		return err
	}
	if control == l.control {
		return nil
	}
	l.control = control
	return l.instruct(control)
}

func (l *LCD) instruct(b byte) error { return l.bus.Byte(false, b) }

// Check asks the bus.
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

// ascii leaves out the two signs in whose place A00 has others.
func ascii(r rune) (byte, bool) {
	return byte(r), r >= ' ' && r < '~' && r != '\\'
}
