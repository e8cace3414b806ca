// Package i2cbus opens Linux's I²C buses and finds the addresses that answer
// without harming the parts there.
//
// A probe is normally a write without data (SMBus "quick command"), which a part
// only acknowledges. Two ranges are probed with a read instead, because a part
// there might act on such a write: 0x30 to 0x37, where memory modules have their
// write protection, and 0x50 to 0x5f, EEPROMs, of which the AT24RF08 is damaged
// by it. No other range is read, because some clock chips take a read as the
// start of a transaction and hold the bus. i2cdetect does the same by default
// (i2c-tools, tools/i2cdetect.c and its manual). Addresses that a driver of the
// kernel holds are not probed.
//
// Tested on a model of a bus, and on an adapter of user-mode Linux whose parts a
// program simulates; never on hardware.
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

// The range of addresses that parts may have. Those outside it are reserved.
const (
	first = 0x08
	last  = 0x77
)

var (
	// ErrNoAnswer means that no part acknowledged the address.
	ErrNoAnswer = errors.New("nothing answers at this address")
	// ErrStuck means that the bus itself does not work: a line is held low, or
	// has no pull-up.
	ErrStuck = errors.New("the bus is stuck: is SDA or SCL shorted, swapped, or without a pull-up?")
	// ErrNotI2C means that an adapter supports only SMBus, like those of PC
	// mainboards.
	ErrNotI2C = errors.New("the adapter cannot send plain I²C messages")
)

// Scan returns the addresses that answer, lowest first. It does not probe the
// addresses in held. The bus must treat a Tx with nothing to write and nothing to
// read as a quick command, as that of [Open] does, or return
// errors.ErrUnsupported; then Scan probes with reads. Scan returns ErrStuck,
// ErrNotI2C or ctx's error. It takes any other error of Tx to mean that nothing
// answers at that address.
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

// Ask returns nil if a part answers at an address. It probes as Scan does.
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
