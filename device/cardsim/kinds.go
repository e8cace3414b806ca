package cardsim

import "smartkiosk/device/apdu"

// Kinds of card other than the Smartkort. Together they cover the differences
// between real cards that a driver must handle. Most are invented; those with the
// name of a real card are stand-ins, made from public documents.
const (
	// TwoPIN has a PIN of 4 digits for authentication and a PIN of 6 digits
	// for signatures, which must be verified before each signature
	// (userConsent). It has P-256 and P-384 keys, one that returns R and S
	// and one that returns DER, and an RSA key that signs a padded block of
	// 256 bytes, chained as 255 and 1. Its directory files are padded with
	// FF, file sizes are under tag 81, and its keys are not sorted by ID.
	TwoPIN = "two-pin"
	// NoAID has neither an AID nor EF.DIR, only 3F00/5015. It has relative
	// paths, directory files padded with 00, a PIN for the whole card, and
	// keys that sign the bare hash. Its answer to reset has the Smartkort's
	// form.
	NoAID = "no-aid"
	// Applet is inside an applet that is not listed anywhere, as IsoApplet is
	// on Java cards; it has IsoApplet's AID and greeting. Its PINs are padded
	// with 00 to 16 bytes and answer 63C0 when blocked. One of its keys is
	// P-256.
	Applet = "applet"
	// T1 uses T=1 with extended length. It has RSA keys of 3072 bits, one of
	// which also supports INTERNAL AUTHENTICATE, and a PIN in BCD.
	T1 = "t1"
	// IsoApplet is like Applet, but does not describe its algorithms: MSE SET
	// must name 11 for RSA with a DigestInfo, which the applet pads, and 21 for
	// ECDSA. These are facts from OpenSC's driver for IsoApplet.
	IsoApplet = "isoapplet"
	// OsEID has keys that are elementary files. The file must be selected, and
	// MSE SET must have 80 with the algorithm, 81 with the file and 84 00. RSA
	// keys sign a padded block, which is chained. It has the answer to reset of
	// MyEID, which OsEID has too. The facts are from the MyEID reference manual
	// and from OpenSC's driver for it.
	OsEID = "oseid"
	// MyEID is OsEID as MyEID was before version 4.5: an RSA key of 2048 bits signs
	// only by DECIPHER.
	MyEID = "myeid"
	// PIV, EstEID and FinEID are described in piv.go, esteid.go and fineid.go.
	PIV    = "piv"
	EstEID = "esteid"
	FinEID = "fineid"
	// Mixed is a Smartkort with a company's certificates before the qualified
	// ones.
	Mixed = "mixed"
)

// kinds are all kinds of card by their name in the image.
var kinds = map[string]*layout{
	Smartkort: &smartkort,
	TwoPIN:    &twoPIN,
	NoAID:     &noAID,
	Applet:    &applet,
	T1:        &t1,
	Mixed:     &mixed,
	IsoApplet: &isoApplet,
	OsEID:     &osEID,
	MyEID:     &myEID,
	FinEID:    &finEID,
}

// twoPIN's historical bytes list its capabilities (ISO 7816-4 §12.1.1):
// selection by name, path and identifier, and command chaining, but no extended
// length.
var twoPIN = layout{
	atr:          []byte{0x3B, 0x69, 0x00, 0x00, 0x80, 0x31, 0xE8, 0x73, 0xF0, 0x21, 0x80, 0x51, 0x01},
	chaining:     true,
	label:        "Two PINs (software)",
	manufacturer: "Smartkiosk",
	aid:          standardAID,
	df:           0x5015,
	sizeTag:      0x81,
	filled:       512,
	filler:       0xFF,
	algorithms: []algorithm{
		{index: 1, mechanism: mechanismRaw, reference: 0x10, recipe: overBlock},
		{index: 2, mechanism: mechanismECDSA, curve: true, reference: 0x21, recipe: ecdsaRaw},
		{index: 3, mechanism: mechanismECDSA, curve: true, reference: 0x22, recipe: ecdsaDER},
	},
	pins: []pinLayout{
		{name: "signature-pin", label: "Signature PIN", id: 2, reference: 0x82, min: 6, max: 8, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "pin", label: "PIN", id: 1, reference: 0x81, min: 4, max: 8, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 3, reference: 0x83, min: 8, max: 8, stored: 8, pad: 0xFF, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "signature", label: "Signature", id: 0x02, reference: 0x92, pin: "signature-pin", consent: 1,
			usage: []int{usageNonRepudiation}, bits: 384, algorithm: 3, certificate: 0x4331},
		{name: "authentication", label: "Authentication", id: 0x01, reference: 0x91, pin: "pin",
			usage: []int{usageSign}, bits: 256, algorithm: 2, certificate: 0x4332},
		{name: "authentication-rsa", label: "Authentication RSA", id: 0x03, reference: 0x93, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 1, certificate: 0x4333},
	},
	aodf: 0x4400, prkdf: 0x4401, cdf: 0x4402, trusted: 0x4403,
	authorities: 0x4340,
}

var noAID = layout{
	atr: []byte{0x3B, 0x6F, 0x00, 0x00, 0x80, 0x31, 0xE0, 0x6B, 0x04, 0x21, 0x05, 0x02, 0x20,
		0x55, 0x55, 0x55, 0x55, 0x55, 0x55},
	label:        "No AID (software)",
	manufacturer: "Smartkiosk",
	df:           0x5015,
	relative:     true,
	sizeTag:      0x80,
	filled:       400,
	filler:       0x00,
	algorithms:   []algorithm{{index: 4, mechanism: mechanismSHA256RSA, reference: 0x42, recipe: overSHA256}},
	pins: []pinLayout{
		{name: "pin", label: "Card PIN", id: 0x11, reference: 0x01, global: true, min: 4, max: 8, stored: 8, pad: 0x00, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "Card PUK", id: 0x12, reference: 0x02, global: true, min: 8, max: 8, stored: 8, pad: 0x00, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x0A, reference: 0x03, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 4, certificate: 0x4301},
		{name: "signature", label: "Signature", id: 0x0B, reference: 0x04, pin: "pin",
			usage: []int{usageNonRepudiation}, bits: 2048, algorithm: 4, certificate: 0x4302},
	},
	aodf: 0x4400, prkdf: 0x4401, cdf: 0x4402, trusted: 0x4403,
	authorities: 0x4310,
}

// applet: AID, greeting (API version 0.6, with elliptic curves) and algorithm
// references are those of IsoApplet, taken from OpenSC's driver for it. OpenSC
// also personalises such cards, so the directory files have its form.
var applet = layout{
	atr:          []byte{0x3B, 0x63, 0x00, 0x00, 0x80, 0x51, 0x02},
	label:        "Applet (software)",
	manufacturer: "Smartkiosk",
	applet:       []byte{0xF2, 0x76, 0xA2, 0x88, 0xBC, 0xFB, 0xA6, 0x9D, 0x34, 0xF3, 0x10, 0x01},
	greeting:     []byte{0x00, 0x06, 0x04},
	ecSizes:      true,
	aid:          standardAID,
	df:           0x5015,
	sizeTag:      0x80,
	algorithms: []algorithm{
		{index: 1, mechanism: mechanismPKCS1, reference: 0x11, recipe: overDigestInfo},
		{index: 2, mechanism: mechanismECDSA, curve: true, reference: 0x21, recipe: ecdsaDER},
	},
	pins: []pinLayout{
		{name: "pin", label: "User PIN", id: 1, reference: 0x01, min: 4, max: 16, stored: 16, pad: 0x00, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "User PUK", id: 2, reference: 0x02, min: 8, max: 16, stored: 16, pad: 0x00, tries: 3},
	},
	blocked: 0x63C0,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, reference: 0x00, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 1, certificate: 0x3100},
		{name: "signature", label: "Signature", id: 0x46, reference: 0x01, pin: "pin",
			usage: []int{usageNonRepudiation}, bits: 256, algorithm: 2, certificate: 0x3101},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x3200,
}

// t1's answer to reset offers only T=1, with blocks of 254 bytes (TA3). Its
// historical bytes announce extended length. It ends with TCK, which T=1
// requires (ISO 7816-3 §8.2.5).
var t1 = layout{
	atr: []byte{0x3B, 0x89, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0xE8, 0x73, 0xF0, 0x21, 0x40, 0x51, 0x03,
		0x89 ^ 0x81 ^ 0x31 ^ 0xFE ^ 0x45 ^ 0x80 ^ 0x31 ^ 0xE8 ^ 0x73 ^ 0xF0 ^ 0x21 ^ 0x40 ^ 0x51 ^ 0x03},
	t1:           true,
	label:        "T=1 (software)",
	manufacturer: "Smartkiosk",
	aid:          standardAID,
	df:           0x5015,
	shortIDs:     true,
	sizeTag:      0x80,
	algorithms:   []algorithm{{index: 1, mechanism: mechanismPKCS1, reference: 0x02, recipe: overDigestInfo}},
	pins: []pinLayout{
		{name: "pin", label: "PIN", id: 1, reference: 0x81, encoding: bcd, min: 6, max: 6, stored: 3, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 2, reference: 0x82, encoding: bcd, min: 8, max: 8, stored: 4, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, reference: 0x01, pin: "pin",
			usage: []int{usageSign}, bits: 3072, algorithm: 1, certificate: 0x4501},
		{name: "signature", label: "Signature", id: 0x46, reference: 0x02, pin: "pin",
			usage: []int{usageNonRepudiation}, bits: 3072, algorithm: 1, certificate: 0x4502},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x4601,
}

// mixed differs from smartkort only in its keys.
var mixed = func() layout {
	l := smartkort
	l.label = "Mixed (software)"
	l.keys = append([]keyLayout{
		{name: "company-authentication", label: "Company authentication", id: 0x21, reference: 0x03, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 1, certificate: 0x4701},
		{name: "company-signature", label: "Company signature", id: 0x22, reference: 0x04, pin: "pin",
			usage: []int{usageSign, usageNonRepudiation}, bits: 2048, algorithm: 1, certificate: 0x4702},
	}, smartkort.keys...)
	return l
}()

var isoApplet = func() layout {
	l := applet
	l.atr = []byte{0x3B, 0x63, 0x00, 0x00, 0x80, 0x51, 0x04}
	l.label = "IsoApplet (software)"
	l.undescribed, l.needsAlgorithm, l.refusal = true, true, apdu.ReferenceNotUsable
	return l
}()

// osEID's answer to reset offers T=1 alone and has "MyEID" in its historical
// bytes.
var osEID = layout{
	atr:          []byte{0x3B, 0xF5, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x4D, 0x79, 0x45, 0x49, 0x44, 0x9A},
	t1:           true,
	chaining:     true,
	label:        "OsEID (software)",
	manufacturer: "Smartkiosk",
	aid:          standardAID,
	df:           0x5015,
	sizeTag:      0x80,
	ecSizes:      true,
	undescribed:  true,
	keyFiles:     true,
	refusal:      apdu.FunctionUnsupported,
	algorithms: []algorithm{
		{index: 1, mechanism: mechanismRaw, reference: 0x00, recipe: overBlock},
		{index: 2, mechanism: mechanismECDSA, curve: true, reference: 0x04, recipe: ecdsaDER},
	},
	pins: []pinLayout{
		{name: "pin", label: "User PIN", id: 1, reference: 0x01, min: 4, max: 8, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "User PUK", id: 2, reference: 0x02, min: 8, max: 8, stored: 8, pad: 0xFF, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Authentication", id: 0x45, pin: "pin",
			usage: []int{usageSign}, bits: 2048, algorithm: 1, certificate: 0x4301, file: 0x4B01},
		{name: "signature", label: "Signature", id: 0x46, pin: "pin",
			usage: []int{usageNonRepudiation}, bits: 256, algorithm: 2, certificate: 0x4302, file: 0x4B02},
	},
	aodf: 0x4401, prkdf: 0x4402, cdf: 0x4403, trusted: 0x4404,
	authorities: 0x4310,
}
