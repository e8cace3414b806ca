package cardsim

import (
	"bytes"

	"smartkiosk/device/apdu"
)

// estEID is the Estonian identity card of 2018 (IDEMIA), by the facts in
// web-eid/libelectronic-id (EIDIDEMIA.cpp) and in OpenSC's driver card-esteid2018.c:
// no directory, an application for each key, and the tries left only by GET DATA. It
// refuses what neither of them sends.
var estEID = layout{
	atr: []byte{0x3B, 0xDB, 0x96, 0x00, 0x80, 0xB1, 0xFE, 0x45, 0x1F, 0x83, 0x00, 0x12, 0x23, 0x3F, 0x53, 0x65,
		0x49, 0x44, 0x0F, 0x90, 0x00, 0xF1},
	t1:           true,
	label:        "EstEID (software)",
	applet:       []byte{0xA0, 0x00, 0x00, 0x00, 0x77, 0x01, 0x08, 0x00, 0x07, 0x00, 0x00, 0xFE, 0x00, 0x00, 0x01, 0x00},
	sizeTag:      0x80,
	files:        estEIDFiles,
	instructions: estEIDInstructions,
	algorithms:   []algorithm{{index: 1, curve: true, recipe: ecdsaRaw}},
	pins: []pinLayout{
		{name: "pin", label: "PIN1", id: 1, reference: 0x01, global: true, min: 4, max: 12, stored: 12, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "signature-pin", label: "PIN2", id: 2, reference: 0x85, min: 5, max: 12, stored: 12, pad: 0xFF, tries: 3, unblockedBy: "puk"},
		{name: "puk", label: "PUK", id: 3, reference: 0x02, global: true, min: 8, max: 12, stored: 12, pad: 0xFF, tries: 3},
	},
	blocked: apdu.AuthBlocked,
	keys: []keyLayout{
		{name: "authentication", label: "Isikutuvastus", id: 1, reference: 0x81, pin: "pin", usage: []int{usageSign}, bits: 384, algorithm: 1, certificate: 0x3401},
		{name: "signature", label: "Allkirjastamine", id: 2, reference: 0x9F, pin: "signature-pin", consent: 1, usage: []int{usageNonRepudiation}, bits: 384, algorithm: 1, certificate: 0x341F},
	},
}

func init() {
	kinds[EstEID] = &estEID // here, because estEIDInstructions refers to methods of Card
}

var estEIDInstructions = map[byte]instruction{
	0x20:           {receive: (*Card).estEIDVerify},
	0x22:           {receive: (*Card).estEIDEnvironment},
	0x24:           {receive: (*Card).changeReferenceData},
	0x2A:           {receive: (*Card).performSecurityOperation},
	0x2C:           {receive: (*Card).estEIDReset},
	0x88:           {receive: (*Card).internalAuthenticate},
	0xB0:           {send: (*Card).readBinary},
	0xCB:           {receive: (*Card).estEIDTries},
	insSelect:      {receive: (*Card).estEIDSelect},
	insGetResponse: {send: (*Card).getResponse},
}

// Applications of EstEID and the identifiers of their DFs.
const (
	estEIDAuthentication = 0xADF1
	estEIDSignature      = 0xADF2
)

func estEIDFiles(l *layout, image Image) *file {
	serial := append([]byte{0x04, 0x09}, "AS0000001"...) // document number, invented
	root := &file{id: idMF, dedicate: true}
	df1 := &file{id: estEIDAuthentication, dedicate: true, name: []byte("\xE8\x28\xBD\x08\x0F\xF2\x50\x4F\x54\x20AWP")}
	df2 := &file{id: estEIDSignature, dedicate: true, name: []byte("QSCD Application")}
	for i, df := range []*file{df1, df2} {
		k := l.keys[i]
		if key, held := image.Keys[k.name]; held {
			df.add(&file{id: k.certificate, data: key.Certificate, sizeTag: l.sizeTag})
		}
	}
	return root.add(df1, df2, &file{id: 0xD003, data: serial, sizeTag: l.sizeTag})
}

// estEIDSelect is SELECT in the forms that the sources send.
func (c *Card) estEIDSelect(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 == 0x04 && !c.outside && !bytes.HasPrefix(c.layout.applet, cmd.Data) {
		c.current = c.root // an application is found from everywhere
		if c.root.byName(cmd.Data) == nil {
			return nil, apdu.FileNotFound
		}
		c.current = c.root.byName(cmd.Data)
		return nil, apdu.OK
	}
	if c.outside || cmd.P1 == 0x04 {
		return c.selectApplet(cmd)
	}
	switch master := len(cmd.Data) == 0; {
	case cmd.P1 == 0x00 && master, cmd.P1 == 0x01, cmd.P1 == 0x02, cmd.P1 == 0x09:
		return c.selectFile(cmd)
	}
	return nil, apdu.WrongP1P2
}

// estEIDVerify is VERIFY with a PIN of 12 bytes. It does not tell the tries left.
func (c *Card) estEIDVerify(cmd apdu.Command) ([]byte, apdu.Status) {
	if len(cmd.Data) == 0 {
		return nil, apdu.WrongLength
	}
	return c.verify(cmd)
}

// estEIDEnvironment is MSE SET. The algorithm is named by one byte, as Web eID does,
// or by four, as OpenSC does. The key's application must be selected.
func (c *Card) estEIDEnvironment(cmd apdu.Command) ([]byte, apdu.Status) {
	for _, e := range []struct {
		template  byte
		algorithm []byte
		df        uint16
		key       *keyLayout
		chosen    **environment
	}{
		{templateAuthentication, []byte{0x04}, estEIDAuthentication, &c.layout.keys[0], &c.proving},
		{templateAuthentication, []byte{0xFF, 0x20, 0x08, 0x00}, estEIDAuthentication, &c.layout.keys[0], &c.proving},
		{templateSignature, []byte{0x54}, estEIDSignature, &c.layout.keys[1], &c.signing},
		{templateSignature, []byte{0xFF, 0x15, 0x08, 0x00}, estEIDSignature, &c.layout.keys[1], &c.signing},
	} {
		want := build(func(b object) { tlv(b, 0x80, e.algorithm...); tlv(b, 0x84, e.key.reference) })
		if cmd.P1 == 0x41 && cmd.P2 == e.template && bytes.Equal(cmd.Data, want) && c.current.df().id == e.df {
			*e.chosen = &environment{key: e.key, algorithm: c.layout.algorithmOf(e.key)}
			return nil, apdu.OK
		}
	}
	return nil, apdu.ReferenceNotFound
}

// estEIDReset is RESET RETRY COUNTER with the new PIN alone, after VERIFY of the PUK.
func (c *Card) estEIDReset(cmd apdu.Command) ([]byte, apdu.Status) {
	p, puk := c.pin(cmd.P2), c.pinNamed("puk")
	switch {
	case cmd.P1 != 0x02 || p == nil || p == puk:
		return nil, apdu.WrongP1P2
	case !puk.verified:
		return nil, apdu.SecurityStatus
	case !p.layout.accepts(cmd.Data):
		return nil, apdu.WrongData
	}
	p.value, p.left, p.verified = bytes.Clone(cmd.Data), p.layout.tries, false
	return nil, apdu.OK
}

// estEIDTries is GET DATA of a PIN's control parameters: the most tries (9A) and the
// tries left (9B).
func (c *Card) estEIDTries(cmd apdu.Command) ([]byte, apdu.Status) {
	for _, p := range c.pins {
		id := p.layout.reference & 0x0F
		if bytes.Equal(cmd.Data, []byte{0x4D, 0x08, 0x70, 0x06, 0xBF, 0x81, id, 0x02, 0xA0, 0x80}) {
			rules := []byte{0xF3, 0x00, 0x00, 0x73, 0x43, 0x00}
			return build(func(b object) {
				b.AddASN1(0x70, func(b object) {
					b.AddBytes([]byte{0xBF, 0x81, id, 0x1A, 0xA0, 0x18, 0x9A, 0x01, byte(p.layout.tries), 0x9B, 0x01, byte(p.left), 0xA1, 0x10})
					tlv(b, 0x8C, rules...)
					tlv(b, 0x9C, rules...)
				})
			}), apdu.OK
		}
	}
	return nil, apdu.ReferenceNotFound
}
