package cardsim

import (
	"bytes"
	"maps"

	"smartkiosk/device/apdu"
)

// Invention is a kind of card that does not exist, for tests of drivers that must handle
// cards of which no profile knows anything. It has one key, one PIN and one PUK.
type Invention struct {
	ATR []byte
	T1  bool // protocol T=1; T=0 otherwise. Commands are chained in both

	// The way to the application, which describes itself by ISO 7816-15.
	Applet   []byte // AID of the applet that contains everything; nil for none
	AID      []byte // name of the application's DF, also in EF.DIR; nil for no name and no EF.DIR
	DF       uint16 // file identifier of the application's DF
	Files    uint16 // file identifier of the first directory file, certificate and key; the others follow
	Relative bool   // paths are relative
	ShortIDs bool
	SizeTag  byte // of a file's size in its control parameters: 80 or 81
	Filled   int  // minimum size of a directory file in bytes
	Filler   byte

	// PIN commands.
	PINClass     byte // accepted in addition to 00
	OnlyPINClass bool // class 00 is not accepted
	PINReference byte
	GlobalPIN    bool
	BCD          bool // Min and Max are equal, and twice Stored
	Min, Max     int  // digits
	Stored       int  // bytes in a command
	Pad          byte
	PUKReference byte

	// Signing commands.
	SignClass    byte
	KeyReference byte
	KeyBy        string // "", "file" or "selected-file", as in a profile of smartkort
	Form         string // digest-info, block, hash, hash-command or internal-authenticate; anything else signs nothing
	DER          bool   // ECDSA signatures are in DER, not R and S concatenated
	Algorithm    int    // reference that MSE SET must have; -1 for none
	Described    bool   // TokenInfo states the algorithm; not for "file" and "selected-file"
	Refusal      apdu.Status

	// What else happens with a refused signing command.
	ForgetsPIN bool // the PIN no longer counts as verified
	SpendsTry  bool // the same, and the PIN has one try less
	SignsWrong bool // data in another form gives a wrong signature instead
}

// Invent makes a card of an invented kind. The image's kind is ignored; its PINs are
// "pin" and "puk", and its key is "authentication".
func Invent(i Invention, image Image) (*Card, error) {
	bits, curve := size(image.Keys["authentication"].Private)
	l := layout{
		atr: i.ATR, t1: i.T1, chaining: true, pinCLA: i.PINClass, onlyPINCLA: i.OnlyPINClass, signCLA: i.SignClass,
		label: "Invented (software)", manufacturer: "Smartkiosk",
		applet: i.Applet, aid: i.AID, df: i.DF, relative: i.Relative, ecSizes: true, shortIDs: i.ShortIDs,
		sizeTag: i.SizeTag, filled: i.Filled, filler: i.Filler,
		hashFirst:   i.Form == "hash-command",
		undescribed: !i.Described, keyFiles: i.KeyBy != "", fileReferences: i.KeyBy == "file",
		algorithms: []algorithm{{index: 1, mechanism: i.mechanism(curve), curve: curve, reference: byte(i.Algorithm), recipe: i.recipe(curve)}},
		blocked:    apdu.AuthBlocked,
		keys: []keyLayout{{name: "authentication", label: "Authentication", id: 0x45, reference: i.KeyReference, pin: "pin",
			usage: []int{usageSign}, bits: bits, algorithm: 1, certificate: i.Files + 4, file: i.Files + 5}},
		aodf: i.Files, prkdf: i.Files + 1, cdf: i.Files + 2, trusted: i.Files + 3, authorities: i.Files + 6,
		invention: &i,
	}
	encoding, puk := ascii, 8
	if i.BCD {
		encoding, puk = bcd, 4
	}
	l.pins = []pinLayout{
		{name: "pin", label: "PIN", id: 1, reference: i.PINReference, global: i.GlobalPIN, encoding: encoding,
			min: i.Min, max: i.Max, stored: i.Stored, pad: i.Pad, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 2, reference: i.PUKReference, global: i.GlobalPIN, encoding: encoding,
			min: 8, max: 8, stored: puk, pad: i.Pad, tries: 3},
	}
	l.instructions = maps.Clone(instructions)
	l.instructions[0x22] = instruction{receive: (*Card).inventedEnvironment, signs: true}
	l.instructions[0x2A] = instruction{receive: (*Card).inventedOperation, chain: true, signs: true}
	l.instructions[0x88] = instruction{receive: (*Card).inventedAuthenticate, chain: true, signs: true}
	return newCard(&l, image)
}

// mechanism is what TokenInfo states.
func (i Invention) mechanism(curve bool) int64 {
	switch {
	case curve:
		return mechanismECDSA
	case i.Form == "block":
		return mechanismRaw
	case i.Form == "hash", i.Form == "hash-command":
		return mechanismSHA256RSA
	}
	return mechanismPKCS1
}

func (i Invention) recipe(curve bool) recipe {
	switch {
	case curve && i.DER:
		return ecdsaDER
	case curve:
		return ecdsaRaw
	case i.Form == "block":
		return overBlock
	case i.Form == "hash", i.Form == "hash-command":
		return overSHA256
	}
	return overDigestInfo
}

// inventedEnvironment is MSE SET, which must have exactly the kind's data.
func (c *Card) inventedEnvironment(cmd apdu.Command) ([]byte, apdu.Status) {
	i, key := c.layout.invention, &c.layout.keys[0]
	c.signing, c.hashed = nil, nil
	template := byte(templateSignature)
	if i.Form == "internal-authenticate" {
		template = templateAuthentication
	}
	var want []byte
	if i.Algorithm >= 0 {
		want = append(want, 0x80, 1, byte(i.Algorithm))
	}
	if i.KeyBy != "" {
		want = append(want, 0x81, 2, byte(key.file>>8), byte(key.file))
	}
	if i.KeyBy == "selected-file" {
		want = append(want, 0x84, 1, 0x00)
	} else {
		want = append(want, 0x84, 1, key.reference)
	}
	selected := i.KeyBy != "selected-file" || c.current.id == key.file
	if cmd.P1 != 0x41 || cmd.P2 != template || !bytes.Equal(cmd.Data, want) || !selected {
		return nil, c.refuseInvented()
	}
	c.signing = &environment{key: key, algorithm: &c.layout.algorithms[0]}
	return nil, apdu.OK
}

// inventedOperation is PSO: COMPUTE DIGITAL SIGNATURE with data, or PSO: HASH.
func (c *Card) inventedOperation(cmd apdu.Command) ([]byte, apdu.Status) {
	form := c.layout.invention.Form
	switch {
	case form == "hash-command" && cmd.P1 == 0x90 && cmd.P2 == 0xA0:
		return c.takeHash(cmd)
	case cmd.P1 != 0x9E || cmd.P2 != 0x9A || form == "internal-authenticate" || form == "hash-command":
		return nil, c.refuseInvented()
	}
	return c.inventedSign(cmd.Data)
}

func (c *Card) inventedAuthenticate(cmd apdu.Command) ([]byte, apdu.Status) {
	if c.layout.invention.Form != "internal-authenticate" {
		return nil, c.refuseInvented()
	}
	return c.inventedSign(cmd.Data)
}

func (c *Card) inventedSign(data []byte) ([]byte, apdu.Status) {
	i := c.layout.invention
	known := map[string]bool{"digest-info": true, "block": true, "hash": true, "hash-command": true, "internal-authenticate": true}[i.Form]
	if c.signing == nil || !known {
		return nil, c.refuseInvented()
	}
	signature, sw := c.sign(c.signing, data)
	switch {
	case sw != apdu.WrongData:
		return signature, sw
	case i.SignsWrong:
		return bytes.Repeat([]byte{0x5A}, 256), apdu.OK
	}
	return nil, c.refuseInvented()
}

// refuseInvented refuses a signing command.
func (c *Card) refuseInvented() apdu.Status {
	i, p := c.layout.invention, c.pinNamed("pin")
	if i.SpendsTry && p.verified {
		p.left--
	}
	if i.SpendsTry || i.ForgetsPIN {
		p.verified = false
	}
	return i.Refusal
}
