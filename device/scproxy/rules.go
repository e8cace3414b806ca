package scproxy

import (
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// errForbidden says that a page sent what it may never send.
var errForbidden = errors.New("command not for web pages")

const insVerify = 0x20

// refused are the instructions that no page may send, in any class. The
// package doc has the reasons.
var refused = map[byte]string{
	0x21: "VERIFY with data objects",
	0x24: "CHANGE REFERENCE DATA",
	0x25: "CHANGE REFERENCE DATA",
	0x26: "DISABLE VERIFICATION REQUIREMENT",
	0x28: "ENABLE VERIFICATION REQUIREMENT",
	0x2C: "RESET RETRY COUNTER",
	0x2D: "RESET RETRY COUNTER",
	0x46: "GENERATE ASYMMETRIC KEY PAIR",
	0x47: "GENERATE ASYMMETRIC KEY PAIR",
	0x70: "MANAGE CHANNEL",
	0x82: "EXTERNAL AUTHENTICATE",
	0xC2: "ENVELOPE",
	0xC3: "ENVELOPE",
	0x04: "DEACTIVATE FILE",
	0x44: "ACTIVATE FILE",
	0x0C: "ERASE RECORD",
	0x0E: "ERASE BINARY",
	0x0F: "ERASE BINARY",
	0xD0: "WRITE BINARY",
	0xD1: "WRITE BINARY",
	0xD2: "WRITE RECORD",
	0xD6: "UPDATE BINARY",
	0xD7: "UPDATE BINARY",
	0xDC: "UPDATE RECORD",
	0xDD: "UPDATE RECORD",
	0xD8: "PUT KEY",
	0xDA: "PUT DATA",
	0xDB: "PUT DATA",
	0xE0: "CREATE FILE",
	0xE2: "APPEND RECORD",
	0xE4: "DELETE FILE",
	0xE6: "TERMINATE DF",
	0xE8: "TERMINATE EF",
	0xF0: "SET STATUS",
	0xFE: "TERMINATE CARD USAGE",
}

// permit tells whether a page may send a command: nil, or why not. Packed says
// that it came in a PIN packet, where VERIFY is the one thing that may be.
func permit(c apdu.Command, packed bool) error {
	switch name, never := refused[c.INS]; {
	case c.CLA == 0xFF:
		return fmt.Errorf("%w: class FF, to the reader", errForbidden)
	case channel(c.CLA) != 0:
		return fmt.Errorf("%w: logical channel %d", errForbidden, channel(c.CLA))
	case never:
		return fmt.Errorf("%w: %s", errForbidden, name)
	case packed && c.INS != insVerify:
		return fmt.Errorf("%w: PIN for instruction %02X", errForbidden, c.INS)
	case !packed && c.INS == insVerify && len(c.Data) > 0:
		return fmt.Errorf("%w: PIN outside of a PIN packet", errForbidden)
	}
	return nil
}

// channel gives the logical channel of an interindustry class (ISO 7816-4
// §5.4.1); 0 for a proprietary one, A0 among them.
func channel(cla byte) int {
	switch {
	case cla&0xE0 == 0x00:
		return int(cla & 0x03)
	case cla&0xC0 == 0x40:
		return 4 + int(cla&0x0F)
	}
	return 0
}
