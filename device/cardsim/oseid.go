package cardsim

import (
	"maps"

	"smartkiosk/device/apdu"
)

func init() {
	osEID.instructions = maps.Clone(instructions)
	osEID.instructions[0xCA] = instruction{send: (*Card).osEIDInfo}
}

// osEIDInfo is GET DATA of the applet's version (01A0), which OpenSC's driver card-myeid.c
// asks for: 4.5.0 in the bytes 5 to 7. From this version on, an RSA key of 2048 bits
// signs a whole block, chained. Older cards do that with DECIPHER, which the stand-in
// does not have.
func (c *Card) osEIDInfo(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 != 0x01 || cmd.P2 != 0xA0 {
		return nil, apdu.ReferenceNotFound
	}
	info := make([]byte, 20)
	info[5], info[6], info[7] = 4, 5, 0
	return info, apdu.OK
}
