package cardsim

import (
	"bytes"

	"smartkiosk/device/apdu"
)

// finEID is the Finnish identity card of version 4, by the facts in
// web-eid/libelectronic-id (FinEID.cpp): PKCS #15, PINs padded with 00 to 12 bytes,
// and signatures by PSO: HASH with the finished hash, then COMPUTE DIGITAL SIGNATURE
// without data. The stand-in has both keys in one DF, the real card has two.
var finEID = layout{
	atr: []byte{0x3B, 0x7F, 0x96, 0x00, 0x00, 0x80, 0x31, 0xB8, 0x65, 0xB0, 0x85, 0x05, 0x00, 0x11, 0x12, 0x24,
		0x60, 0x82, 0x90, 0x00},
	label:          "FinEID (software)",
	manufacturer:   "Smartkiosk",
	aid:            standardAID,
	df:             0x5015,
	sizeTag:        0x80,
	ecSizes:        true,
	undescribed:    true,
	hashFirst:      true,
	refusal:        apdu.WrongData,
	needsAlgorithm: true,
	algorithms:     []algorithm{{index: 1, mechanism: mechanismECDSA, curve: true, reference: 0x54, recipe: ecdsaRaw}},
	pins: []pinLayout{
		{name: "pin", label: "PIN 1", id: 1, reference: 0x11, global: true, min: 4, max: 12, stored: 12, pad: 0x00, tries: 3, unblockedBy: "puk"},
		{name: "signature-pin", label: "PIN 2", id: 2, reference: 0x82, min: 6, max: 12, stored: 12, pad: 0x00, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 3, reference: 0x83, global: true, min: 8, max: 12, stored: 12, pad: 0x00, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, reference: 0x01, pin: "pin",
			usage: []int{usageSign}, bits: 384, algorithm: 1, certificate: 0x4331},
		{name: "signature", label: "Signature", id: 0x46, reference: 0x02, pin: "signature-pin", consent: 1,
			usage: []int{usageNonRepudiation}, bits: 384, algorithm: 1, certificate: 0x4332},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x4340,
}

// takeHash is PSO: HASH (ISO 7816-8, P1-P2 = 90 A0) with the finished hash under tag
// 90.
func (c *Card) takeHash(cmd apdu.Command) ([]byte, apdu.Status) {
	if c.signing == nil {
		return nil, apdu.ConditionsNotSatisfied
	}
	if len(cmd.Data) < 2 || cmd.Data[0] != 0x90 || int(cmd.Data[1]) != len(cmd.Data)-2 {
		return nil, apdu.WrongData
	}
	c.hashed = bytes.Clone(cmd.Data[2:])
	return nil, apdu.OK
}

// signHash is PSO: COMPUTE DIGITAL SIGNATURE without data.
func (c *Card) signHash(apdu.Command) ([]byte, apdu.Status) {
	if c.hashed == nil {
		return nil, apdu.ConditionsNotSatisfied
	}
	return c.sign(c.signing, c.hashed)
}
