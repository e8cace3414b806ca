package cardsim

// layout is how one kind of card is spoken to: all that its cards have in
// common, and nothing that personalisation puts on them.
type layout struct {
	atr          []byte
	pinCLA       byte // a class that PIN commands take beside 00
	label        string
	manufacturer string
	aid          []byte
	df           uint16 // file identifier of the application's DF
	algorithm    byte   // reference of RSA over a DigestInfo, padded by the card
	pins         []pinLayout
	keys         []keyLayout

	// File identifiers within the application's DF.
	aodf, prkdf, cdf, trusted uint16
	authorities               uint16 // the first authority certificate; the others follow
}

// pinLayout is a PIN or PUK: how it is referred to and written.
type pinLayout struct {
	name        string // in the image
	label       string
	id          byte // authId
	reference   byte // P2 of VERIFY
	min, max    int  // digits
	stored      int  // bytes in a command
	pad         byte
	tries       int
	unblockedBy string // name of the PUK; "" for a PUK
}

// keyLayout is a place for a private key and its certificate.
type keyLayout struct {
	name        string // in the image
	label       string
	id          byte // common to key and certificate
	reference   byte // in MSE SET
	pin         string
	usage       []int  // bits of KeyUsageFlags
	certificate uint16 // file identifier within the application's DF
}

// Bits of KeyUsageFlags (ISO 7816-15 §8.4.2).
const (
	usageSign           = 2
	usageNonRepudiation = 9
)

// kinds are the kinds of card that can be made, by the name in the image.
var kinds = map[string]*layout{
	Smartkort: &smartkort,
}

// Smartkort is the kind of the Buypass Smartkort.
const Smartkort = "smartkort"

// smartkort: answer to reset, class, reference and padding of VERIFY, lengths
// and tries of PIN and PUK are those of real cards. Application, file, key
// and algorithm references are not public, nor is how real cards sign; they
// are chosen here, in the forms that ISO 7816-15 offers.
var smartkort = layout{
	atr: []byte{0x3B, 0x9F, 0x96, 0x40, 0x0A, 0x80, 0x31, 0xE0, 0x6B, 0x04, 0x20,
		0x05, 0x02, 0x10, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55},
	pinCLA:       0xA0,
	label:        "Smartkort (software)",
	manufacturer: "Smartkiosk",
	aid:          []byte("\xA0\x00\x00\x00\x63PKCS-15"),
	df:           0x5015,
	algorithm:    0x02,
	pins: []pinLayout{
		{name: "pin", label: "PIN", id: 1, reference: 0x82, min: 4, max: 4, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 2, reference: 0x83, min: 8, max: 8, stored: 8, pad: 0xFF, tries: 3},
	},
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, reference: 0x01, pin: "pin",
			usage: []int{usageSign}, certificate: 0x4501},
		{name: "signature", label: "Signature", id: 0x46, reference: 0x02, pin: "pin",
			usage: []int{usageNonRepudiation}, certificate: 0x4502},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x4601,
}
