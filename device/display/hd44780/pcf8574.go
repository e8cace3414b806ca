package hd44780

import (
	"fmt"
	"io"
	"time"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
)

// The expander's pins on the common backpacks (LCM1602, "I2C LCD" by YwRobot).
const (
	pinRS    = 1 << 0
	pinRW    = 1 << 1 // always low
	pinE     = 1 << 2
	pinLight = 1 << 3
	// D4 to D7 are 1<<4 to 1<<7
)

// maxMessage is how many bytes go in one I²C message. Its first byte is the
// only one that shows no pins; more than this gains nothing.
const maxMessage = 512

// Backpack is a bus through a PCF8574 or PCF8574A I/O expander (NXP PCF8574
// datasheet, section 8). Each byte of a message sets the 8 pins when it is
// acknowledged, so that at the part's 100 kHz pins change 90 µs apart and no
// instruction needs another wait but the slow ones.
type Backpack struct {
	bus     i2c.Bus
	address uint16
	wait    func(time.Duration)

	pins    byte
	pending []byte
	written bool // the pins are as last told
}

// NewBackpack takes the expander's address: 0x20 to 0x27 for a PCF8574 (most
// have 0x27), 0x38 to 0x3f for a PCF8574A (most have 0x3f). wait waits,
// [time.Sleep] but in tests. The backpack closes the bus if it can be closed.
func NewBackpack(bus i2c.Bus, address uint16, wait func(time.Duration)) (*Backpack, error) {
	if a := address &^ 7; a != 0x20 && a != 0x38 {
		return nil, fmt.Errorf("%#x is not the address of a PCF8574 (0x20 to 0x27) or PCF8574A (0x38 to 0x3f)", address)
	}
	return &Backpack{bus: bus, address: address, wait: wait}, nil
}

// String names the expander.
func (b *Backpack) String() string { return fmt.Sprintf("PCF8574(%#x)", b.address) }

// Nibble implements [Bus].
func (b *Backpack) Nibble(n byte) error { return b.clock(0, n) }

// Byte implements [Bus].
func (b *Backpack) Byte(data bool, value byte) error {
	var rs byte
	if data {
		rs = pinRS
	}
	if err := b.clock(rs, value>>4); err != nil {
		return err
	}
	return b.clock(rs, value)
}

// clock raises E with the data and lowers it. RS is set before E is raised
// (datasheet of the HD44780, "Write operation": address set-up time).
func (b *Backpack) clock(rs, nibble byte) error {
	if b.pins&pinRS != rs || !b.written && len(b.pending) == 0 {
		b.pending = append(b.pending, b.pins&^pinRS|rs|pinLight)
	}
	b.pins = rs | pinLight | nibble<<4
	b.pending = append(b.pending, b.pins|pinE, b.pins)
	if len(b.pending) > maxMessage-3 {
		return b.flush()
	}
	return nil
}

func (b *Backpack) flush() error {
	if len(b.pending) == 0 {
		return nil
	}
	message := b.pending
	b.pending = b.pending[:0]
	b.written = false
	if err := b.bus.Tx(b.address, message, nil); err != nil {
		return fmt.Errorf("no answer from %s: %w", b, err)
	}
	b.written = true
	return nil
}

// Wait implements [Bus].
func (b *Backpack) Wait(d time.Duration) error {
	if err := b.flush(); err != nil {
		return err
	}
	if d > 0 {
		b.wait(d)
	}
	return nil
}

// Check reads the pins back. An expander that lost its power in between has
// all of them high (datasheet, section 8.2.1), which R/W and E never are after
// a write. The others say nothing sure: the transistor of the light, for one,
// pulls its pin low. The controller behind it cannot be asked, as nothing reads
// its bytes: a spark of the door's coil upsets it and not the expander.
func (b *Backpack) Check() error {
	var pins [1]byte
	if err := b.bus.Tx(b.address, nil, pins[:]); err != nil {
		return fmt.Errorf("no answer from %s: %w", b, err)
	}
	if pins[0]&(pinRW|pinE) != 0 {
		return fmt.Errorf("%s has lost its state: R/W or E is high, pins are %08b", b, pins[0])
	}
	return fmt.Errorf("%s answers for itself alone: %w", b, display.ErrBlind)
}

// Close closes the I²C bus.
func (b *Backpack) Close() error {
	if c, ok := b.bus.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
