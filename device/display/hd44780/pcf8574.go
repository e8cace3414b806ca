package hd44780

import (
	"fmt"
	"io"
	"time"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
)

// maxMessage is the number of bytes in one I²C message. Only its first byte does
// not set pins, so longer messages gain nothing.
const maxMessage = 512

// Backpack is a bus through a PCF8574 or PCF8574A I/O expander (NXP PCF8574
// datasheet, section 8). Each byte of a message sets the 8 pins when it is
// acknowledged. At the part's 100 kHz the pins change every 90 µs, so only the slow
// instructions need a wait.
type Backpack struct {
	bus     i2c.Bus
	address uint16
	wait    func(time.Duration)

	rs, e   byte     // the bits of these pins
	idle    byte     // pins that never change: the light, if it is on at high level
	low     byte     // pins that are low after every write: R/W and E
	nibbles [16]byte // the pins of each value of D4 to D7

	pins    byte
	pending []byte
	written bool // the expander has received pins
}

// NewBackpack returns the bus through an expander. Its address is 0x20 to 0x27 for
// a PCF8574 (most have 0x27), 0x38 to 0x3f for a PCF8574A (most have 0x3f). wait
// waits for a time; it is [time.Sleep] except in tests. Close closes the bus if it
// is an [io.Closer].
func NewBackpack(bus i2c.Bus, address uint16, w Wiring, wait func(time.Duration)) (*Backpack, error) {
	if a := address &^ 7; a != 0x20 && a != 0x38 {
		return nil, fmt.Errorf("cannot use display: the address of a PCF8574 is 0x20 to 0x27, of a PCF8574A 0x38 to 0x3f, not %#x", address)
	}
	b := &Backpack{bus: bus, address: address, wait: wait, rs: bit(w.RS), e: bit(w.E), low: bit(w.RW) | bit(w.E)}
	if !w.LightLow {
		b.idle = bit(w.Light)
	}
	for value := range b.nibbles {
		for i, pin := range w.Data {
			b.nibbles[value] |= byte(value>>i&1) << pin
		}
	}
	return b, nil
}

// String names the expander.
func (b *Backpack) String() string { return fmt.Sprintf("PCF8574(%#x)", b.address) }

// Nibble implements [Bus].
func (b *Backpack) Nibble(n byte) error { return b.clock(0, n) }

// Byte implements [Bus].
func (b *Backpack) Byte(data bool, value byte) error {
	var rs byte
	if data {
		rs = b.rs
	}
	if err := b.clock(rs, value>>4); err != nil {
		return err
	}
	return b.clock(rs, value)
}

// clock raises E with the data and lowers it. It sets RS before it raises E
// (datasheet of the HD44780, "Write operation": address set-up time).
func (b *Backpack) clock(rs, nibble byte) error {
	if b.pins&b.rs != rs || !b.written && len(b.pending) == 0 {
		b.pending = append(b.pending, b.pins&^b.rs|rs|b.idle)
	}
	b.pins = rs | b.idle | b.nibbles[nibble&15]
	b.pending = append(b.pending, b.pins|b.e, b.pins)
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

// Check reads the pins back. After a loss of power all pins of the expander are
// high (datasheet, section 8.2.1), but after a write R/W and E are always low.
// The other pins prove nothing: the transistor of the light, for example, pulls
// its pin low. The display controller itself cannot be read. A spark from the
// door's coil may upset it without upsetting the expander.
func (b *Backpack) Check() error {
	var pins [1]byte
	if err := b.bus.Tx(b.address, nil, pins[:]); err != nil {
		return fmt.Errorf("no answer from %s: %w", b, err)
	}
	if pins[0]&b.low != 0 {
		return fmt.Errorf("%s has lost its state: R/W or E is high, pins are %08b", b, pins[0])
	}
	return fmt.Errorf("%s answers only for itself: %w", b, display.ErrBlind)
}

// Close closes the I²C bus.
func (b *Backpack) Close() error {
	if c, ok := b.bus.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
