package cardsim

import (
	"bytes"
	"crypto/ecdsa"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"smartkiosk/device/apdu"
)

// piv is a PIV card (NIST SP 800-73-4): an applet with data objects instead of
// files. The key reference is that of the slot.
var piv = layout{
	atr:    []byte{0x3B, 0x67, 0x00, 0x00, 0x50, 0x49, 0x56, 0x2D, 0x53, 0x49, 0x4D}, // "PIV-SIM"
	label:  "PIV (software)",
	applet: []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00},
	// Application property template: AID of the version, and the tag allocation authority (part 2, 3.1.1).
	greeting:     []byte{0x61, 0x11, 0x4F, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x79, 0x07, 0x4F, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08},
	keepsStatus:  true, // part 2, 3.1.1
	chaining:     true,
	files:        func(*layout, Image) *file { return &file{id: idMF, dedicate: true} },
	instructions: pivInstructions,
	algorithms: []algorithm{
		{index: 1, reference: 0x07, recipe: overBlock},             // RSA 2048
		{index: 2, curve: true, reference: 0x11, recipe: ecdsaDER}, // P-256
	},
	pins: []pinLayout{
		{name: "pin", label: "PIV Card Application PIN", id: 1, reference: 0x80, min: 6, max: 8, stored: 8, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PIN Unblocking Key", id: 2, reference: 0x81, min: 8, max: 8, stored: 8, pad: 0xFF, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "PIV Authentication", id: 1, reference: 0x9A, pin: "pin", usage: []int{usageSign}, bits: 2048, algorithm: 1},
		{name: "signature", label: "Digital Signature", id: 2, reference: 0x9C, pin: "pin", consent: 1, usage: []int{usageNonRepudiation}, bits: 256, algorithm: 2},
	},
}

func init() {
	kinds[PIV] = &piv // here, because pivInstructions refers to methods of Card
}

var pivInstructions = map[byte]instruction{
	0x20:           {receive: (*Card).verify},
	0x24:           {receive: (*Card).changeReferenceData},
	0x2C:           {receive: (*Card).resetRetryCounter},
	0x87:           {receive: (*Card).generalAuthenticate, chain: true},
	0xCB:           {receive: (*Card).getDataObject},
	insSelect:      {receive: (*Card).selectFile},
	insGetResponse: {send: (*Card).getResponse},
}

// getDataObject is GET DATA (SP 800-73-4 part 2, 3.1.2): the tag list (5C) names one
// object; its content is returned under tag 53.
func (c *Card) getDataObject(cmd apdu.Command) ([]byte, apdu.Status) {
	list := cryptobyte.String(cmd.Data)
	var tag cryptobyte.String
	if cmd.P1 != 0x3F || cmd.P2 != 0xFF || !list.ReadASN1(&tag, 0x5C) || !list.Empty() {
		return nil, apdu.WrongData
	}
	var content []byte
	switch {
	case bytes.Equal(tag, []byte{0x5F, 0xC1, 0x02}): // CHUID
		content = build(func(b object) {
			tlv(b, 0x30, bytes.Repeat([]byte{0xD0}, 25)...) // FASC-N
			tlv(b, 0x34, append(make([]byte, 16-len(c.image.Serial)), c.image.Serial...)...)
			text(b, 0x35, "20351231")
			tlv(b, 0x3E)
			tlv(b, 0xFE)
		})
	case bytes.Equal(tag, []byte{0x5F, 0xC1, 0x05}):
		content = c.pivCertificate("authentication")
	case bytes.Equal(tag, []byte{0x5F, 0xC1, 0x0A}):
		content = c.pivCertificate("signature")
	}
	if content == nil {
		return nil, apdu.FileNotFound
	}
	return build(func(b object) { tlv(b, 0x53, content...) }), apdu.OK
}

// pivCertificate is the content of a certificate's object: the certificate, CertInfo
// and an empty error detection code (part 1, appendix A).
func (c *Card) pivCertificate(key string) []byte {
	k, held := c.image.Keys[key]
	if !held {
		return nil
	}
	return build(func(b object) {
		tlv(b, 0x70, k.Certificate...)
		tlv(b, 0x71, 0x00) // not compressed
		tlv(b, 0xFE)
	})
}

// generalAuthenticate is GENERAL AUTHENTICATE with a challenge (part 2, 3.2.4): P1 is
// the algorithm, P2 the key; the dynamic authentication template (7C) has an empty
// response (82) and the data to sign (81).
func (c *Card) generalAuthenticate(cmd apdu.Command) ([]byte, apdu.Status) {
	key := c.key([]byte{cmd.P2})
	if key == nil {
		return nil, apdu.WrongP1P2
	}
	a := c.layout.algorithmOf(key)
	if a.reference != cmd.P1 {
		return nil, apdu.WrongP1P2
	}
	input := cryptobyte.String(cmd.Data)
	var template, response, data cryptobyte.String
	if !input.ReadASN1(&template, 0x7C) || !template.ReadASN1(&response, 0x82) || !template.ReadASN1(&data, asn1.Tag(0x81)) || len(response) > 0 {
		return nil, apdu.WrongData
	}
	if private, ok := c.image.Keys[key.name].Private.(*ecdsa.PrivateKey); ok && len(data) != fieldSize(private) {
		return nil, apdu.WrongData
	}
	signature, sw := c.sign(&environment{key: key, algorithm: a}, data)
	if sw != apdu.OK {
		return nil, sw
	}
	return build(func(b object) { b.AddASN1(0x7C, func(b object) { tlv(b, 0x82, signature...) }) }), apdu.OK
}
