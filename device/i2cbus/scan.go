// Package i2cbus opens Linux's I²C buses, and tells which addresses answer
// without doing harm to whatever is there.
//
// A part that is asked with a write that has no data (SMBus "quick command")
// only acknowledges. Two ranges are asked with a read instead, because a part
// there might take the write for more than it is: 0x30 to 0x37, where memory
// modules keep their write protection, and 0x50 to 0x5f, EEPROMs, of which the
// AT24RF08 is spoilt by it. No other range is read: some clock chips take a
// read as the beginning of something and hold the bus. This is what i2cdetect
// does unless told otherwise (i2c-tools, tools/i2cdetect.c and its manual).
// Addresses that a driver of the kernel holds are not asked.
//
// Proven on a model of a bus, and on an adapter of user-mode Linux whose parts a
// program plays; never on hardware.
//
// Sources: NXP UM10204, table 3 (reserved addresses); System Management Bus 2.0
// §5.5.1 (quick command); Linux Documentation/i2c/dev-interface.rst and
// fault-codes.rst, include/uapi/linux/i2c.h and i2c-dev.h.
package i2cbus

import (
	"context"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// The addresses that parts may have; those below and above are reserved.
const (
	first = 0x08
	last  = 0x77
)

var (
	// ErrNoAnswer says that no part acknowledged its address.
	ErrNoAnswer = errors.New("nothing answers at this address")
	// ErrStuck says that the bus itself does not work: a line is held low, or
	// is pulled up by nothing.
	ErrStuck = errors.New("the bus is stuck: is SDA or SCL shorted, swapped, or without a pull-up?")
	// ErrNotI2C says that an adapter knows SMBus only, as those of PC
	// mainboards do.
	ErrNotI2C = errors.New("the adapter cannot send plain I²C messages")
)

// Scan gives the addresses that answer, lowest first. Those in held are left
// alone. The bus must take a Tx with nothing to write and nothing to read as a
// quick command, as [Open]'s does, or say that it is errors.ErrUnsupported:
// then all addresses are asked with a read. Errors: ErrStuck, ErrNotI2C, ctx's;
// any other error of Tx means that nothing answers at that address.
func Scan(ctx context.Context, bus i2c.Bus, held map[uint16]string) (found []uint16, err error) {
	for a := uint16(first); a <= last; a++ {
		if _, ok := held[a]; ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := Ask(bus, a)
		if errors.Is(err, ErrStuck) || errors.Is(err, ErrNotI2C) {
			return nil, fmt.Errorf("cannot ask address %#x: %w", a, err)
		}
		if err == nil {
			found = append(found, a)
		}
	}
	return found, nil
}

// Ask tells by nil that something answers at an address, and asks as Scan does.
func Ask(bus i2c.Bus, address uint16) error {
	if !mayBeMemory(address) {
		if err := bus.Tx(address, nil, nil); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return bus.Tx(address, nil, make([]byte, 1))
}

func mayBeMemory(address uint16) bool {
	return address >= 0x30 && address <= 0x37 || address >= 0x50 && address <= 0x5f
}
