package cardsim

import (
	"bytes"
	"maps"

	"smartkiosk/device/apdu"
)

func init() {
	osEID.instructions = maps.Clone(instructions)
	osEID.instructions[0xCA] = instruction{send: (*Card).osEIDInfo}
	myEID = osEID
	myEID.label, myEID.deciphers = "MyEID (software)", true
}

var myEID layout

// osEIDInfo is GET DATA of the applet's version (01A0), which OpenSC's driver card-myeid.c
// asks for: 4.5.0 in the bytes 5 to 7. From this version on, an RSA key of 2048 bits
// signs a whole block, chained. Older cards do that with DECIPHER only.
func (c *Card) osEIDInfo(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 != 0x01 || cmd.P2 != 0xA0 {
		return nil, apdu.ReferenceNotFound
	}
	info := make([]byte, 20)
	info[5], info[6], info[7] = 4, 5, 0
	if c.layout.deciphers {
		info[6] = 0
	}
	return info, apdu.OK
}

// decipher is PSO: DECIPHER (ISO 7816-8 §11.5, P1-P2 = 80 86) of a block of 2048 bits. The
// padding indicator is 81 for its first half and 82 for the second one (MyEID
// reference manual 2.1.4).
func (c *Card) decipher(data []byte) ([]byte, apdu.Status) {
	switch {
	case c.deciphering == nil:
		return nil, apdu.ConditionsNotSatisfied
	case len(data) != 129 || data[0] != 0x81 && (data[0] != 0x82 || c.half == nil):
		return nil, apdu.WrongData
	case data[0] == 0x81:
		c.half = bytes.Clone(data[1:])
		return nil, apdu.OK
	}
	block := append(c.half, data[1:]...)
	c.half = nil
	return c.sign(c.deciphering, block)
}
