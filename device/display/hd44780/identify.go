package hd44780

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// MayBeBackpack tells whether what is at an address may be a PCF8574: it has no
// registers, so that each byte read is its pins again (datasheet, section 8.2.2),
// while an expander with registers, as Microchip's MCP23017 at the same
// addresses, answers one after the other. Nothing is written: the pins may
// switch something else than a display. The error is that nothing answers.
func MayBeBackpack(bus i2c.Bus, address uint16) (bool, error) {
	var pins [4]byte
	if err := bus.Tx(address, nil, pins[:]); err != nil {
		return false, fmt.Errorf("no answer from %#x: %w", address, err)
	}
	for _, p := range pins {
		if p != pins[0] {
			return false, nil
		}
	}
	return true, nil
}
