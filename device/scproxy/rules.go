package scproxy

import (
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// errForbidden is the error for a command that pages may never send.
var errForbidden = errors.New("command not allowed for web pages")

const (
	insVerify       = 0x20
	insChange       = 0x24
	insResetCounter = 0x2C
)

// refused are the instructions that no page may send in any class. The package
// doc has the reasons.
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

// permit returns an error if a page may not send the command. packed means that
// the command came in a PIN packet.
func permit(c apdu.Command, packed bool) error {
	name, never := refused[c.INS]
	takesPIN := c.INS == insVerify || c.INS == insChange || c.INS == insResetCounter
	switch {
	case c.CLA == 0xFF:
		return fmt.Errorf("%w: class FF, to the reader", errForbidden)
	case usesChannel(c.CLA):
		return fmt.Errorf("%w: class %02X may be a logical channel", errForbidden, c.CLA)
	case packed && !takesPIN:
		return fmt.Errorf("%w: PIN for instruction %02X", errForbidden, c.INS)
	case packed:
		return nil
	case never:
		return fmt.Errorf("%w: %s", errForbidden, name)
	case c.INS == insVerify && len(c.Data) > 0:
		return fmt.Errorf("%w: PIN outside a PIN packet", errForbidden)
	}
	return nil
}

// usesChannel reports whether a card may take a class byte as a logical channel
// other than 0. ISO 7816-4 §5.4.1 and the GlobalPlatform Card Specification
// §11.1.4 code the channel in the same bits:
//
//	bit 7 is 0: bits 2 and 1 are the channel, 0 to 3
//	bit 7 is 1: bits 4 to 1 are the channel minus 4, so it is never 0
//
// ISO defines the bits for 00 to 1F and 40 to 7F, GlobalPlatform for 80 to 8F and
// C0 to FE. For the other classes a card may decode them in the same way.
func usesChannel(cla byte) bool { return cla&0x40 != 0 || cla&0x03 != 0 }
