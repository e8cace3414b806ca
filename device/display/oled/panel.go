package oled

import (
	"fmt"
	"io"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
)

// Commands that all chips understand (SSD1306 datasheet, table 9-1; SH1106
// datasheet, table 1).
const (
	columnLow  = 0x00
	columnHigh = 0x10
	page       = 0xb0
	switchOff  = 0xae
	switchOn   = 0xaf
)

// Control bytes of an I²C message (SSD1306, section 8.1.5.2).
const (
	oneCommand = 0x80 // one command byte, then another control byte
	commands   = 0x00 // only command bytes follow
	data       = 0x40 // only data bytes follow
)

// Panel is the driver of a module of 128 by 64 dots. It is a [display.Part] of 5
// rows of 21 letters.
type Panel struct {
	bus     i2c.Bus
	address uint16
	chip    Chip
	offset  int // the column of memory that appears first on the glass

	shown []byte // 8 pages of 128 columns, the uppermost dot of a column in bit 0; nil after Start
	on    bool
	// readable is set if the status reported that the panel was on after it was
	// switched on. Some modules cannot be read.
	readable bool
}

// New returns the driver of the panel at an address: 0x3c, or 0x3d if its jumper
// is set. Close closes the bus if it is an [io.Closer].
func New(bus i2c.Bus, address uint16, chip Chip) (*Panel, error) {
	if chip < 0 || int(chip) >= len(chips) {
		return nil, fmt.Errorf("cannot open display: unknown chip %d", int(chip))
	}
	if address != 0x3c && address != 0x3d {
		return nil, fmt.Errorf("cannot open %v: its address is 0x3c or 0x3d, not %#x", chip, address)
	}
	return &Panel{bus: bus, address: address, chip: chip, offset: chips[chip].offset}, nil
}

// SetColumnOffset sets the column of the controller's memory that appears first
// on the glass, 0 to MaxColumnOffset. Modules differ.
func (p *Panel) SetColumnOffset(offset int) { p.offset = offset }

// String names the chip and its address.
func (p *Panel) String() string { return fmt.Sprintf("%v(%#x)", p.chip, p.address) }

// Size returns the size of the plain layout.
func (p *Panel) Size() (int, int) { return rows, cols }

// Start sends the initialization. The panel stays off until Draw has written the
// whole memory, which holds noise after a loss of power.
func (p *Panel) Start() error {
	p.shown, p.on, p.readable = nil, false, false
	return p.send(append([]byte{commands}, chips[p.chip].start...))
}

// Draw draws the content in dots and writes what differs.
func (p *Panel) Draw(c display.Content) error {
	want := dotsOf(c).Pix
	for n := range height / 8 {
		from, to := n*width, (n+1)*width
		var old []byte
		if p.shown != nil {
			old = p.shown[from:to]
		}
		if err := p.page(n, old, want[from:to]); err != nil {
			return err
		}
	}
	if !p.on {
		if err := p.send([]byte{commands, switchOn}); err != nil {
			return err
		}
		p.on = true
		off, err := p.status()
		p.readable = err == nil && !off
	}
	p.shown = want
	return nil
}

// near is the longest gap of unchanged columns, in bytes, that is written again.
// A new message would cost eight bytes.
const near = 5

// page writes the columns of a page that differ.
func (p *Panel) page(n int, have, want []byte) error {
	from, to := -1, 0
	send := func() error {
		if from < 0 {
			return nil
		}
		at := p.offset + from
		return p.send(append([]byte{
			oneCommand, page | byte(n), oneCommand, columnLow | byte(at&15), oneCommand, columnHigh | byte(at>>4), data,
		}, want[from:to]...))
	}
	for col, run := range display.Runs(have, want) {
		if from >= 0 && col-to > near {
			if err := send(); err != nil {
				return err
			}
			from = -1
		}
		if from < 0 {
			from = col
		}
		to = col + len(run)
	}
	return send()
}

func (p *Panel) send(message []byte) error {
	if err := p.bus.Tx(p.address, message, nil); err != nil {
		return fmt.Errorf("no answer from %s: %w", p, err)
	}
	return nil
}

// Check reads whether the panel is still on. After a loss of power it is off.
func (p *Panel) Check() error {
	if !p.readable {
		return display.ErrBlind
	}
	off, err := p.status()
	if err != nil {
		return err
	}
	if p.on && off {
		return fmt.Errorf("%s has lost its state: it was switched on, but its status says off", p)
	}
	return nil
}

// status reads bit 6 of the status, which is set while the panel is off
// (SSD1306, table 9-2; SH1106, command 22).
func (p *Panel) status() (off bool, err error) {
	var status [1]byte
	if err := p.bus.Tx(p.address, nil, status[:]); err != nil {
		return false, fmt.Errorf("no answer from %s: %w", p, err)
	}
	return status[0]&0x40 != 0, nil
}

// Close closes the I²C bus.
func (p *Panel) Close() error {
	if c, ok := p.bus.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
