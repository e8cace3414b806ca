package hd44780

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// MayBeBackpack reports whether the part at an address may be a PCF8574. A
// PCF8574 has no registers, so each byte that is read is the state of its pins
// (datasheet, section 8.2.2). An expander with registers, such as Microchip's
// MCP23017 at the same addresses, returns one register after the other.
// MayBeBackpack writes nothing, because the pins may switch something other than
// a display. It returns an error if no part answers.
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
