package cardsim

import "smartkiosk/device/apdu"

// Smartkort is the kind of the Buypass Smartkort.
const Smartkort = "smartkort"

var standardAID = []byte("\xA0\x00\x00\x00\x63PKCS-15") // PKCS #15 §5.4

// smartkort has the answer to reset, class, reference and padding of VERIFY,
// and lengths and tries of PIN and PUK of real cards. The application, file, key
// and algorithm references and the signing commands of real cards are not
// public; the values here are invented within ISO 7816-15.
var smartkort = layout{
	atr: []byte{0x3B, 0x9F, 0x96, 0x40, 0x0A, 0x80, 0x31, 0xE0, 0x6B, 0x04, 0x20,
		0x05, 0x02, 0x10, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55},
	pinCLA:       0xA0,
	label:        "Smartkort (software)",
	manufacturer: "Smartkiosk",
	aid:          standardAID,
	df:           0x5015,
	shortIDs:     true,
	sizeTag:      0x80,
	algorithms:   []algorithm{{index: 1, mechanism: mechanismPKCS1, reference: 0x02, recipe: overDigestInfo}},
	pins: []pinLayout{
		{name: "pin", label: "PIN", id: 1, reference: 0x82, min: 4, max: 4, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 2, reference: 0x83, min: 8, max: 8, stored: 8, pad: 0xFF, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, reference: 0x01, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 1, certificate: 0x4501},
		{name: "signature", label: "Signature", id: 0x46, reference: 0x02, pin: "pin",
			usage: []int{usageNonRepudiation}, bits: 2048, algorithm: 1, certificate: 0x4502},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x4601,
}
