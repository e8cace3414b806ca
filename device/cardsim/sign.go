package cardsim

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"smartkiosk/device/apdu"
)

// environment is the key and algorithm that MSE SET selected.
type environment struct {
	key       *keyLayout
	algorithm *algorithm
}

// Control reference templates (ISO 7816-4 §10.3.3), P2 of MSE SET.
const (
	templateAuthentication = 0xA4
	templateSignature      = 0xB6
	templateConfidential   = 0xB8
)

// manageSecurityEnvironment is MSE SET (ISO 7816-4 §11.5.11, P1 = 41) of the
// digital signature template or the authentication template. It selects the
// key and the algorithm.
func (c *Card) manageSecurityEnvironment(cmd apdu.Command) ([]byte, apdu.Status) {
	var chosen **environment
	switch {
	case cmd.P1 != 0x41:
		return nil, apdu.WrongP1P2
	case cmd.P2 == templateSignature:
		chosen = &c.signing
	case cmd.P2 == templateAuthentication:
		chosen = &c.proving
	case cmd.P2 == templateConfidential && c.layout.deciphers:
		chosen = &c.deciphering
	default:
		return nil, apdu.WrongP1P2
	}
	*chosen = nil
	if c.layout.keyFiles {
		e, sw := c.keyFileEnvironment(cmd.Data)
		*chosen = e
		return nil, sw
	}
	var key *keyLayout
	var named *algorithm
	for template := cryptobyte.String(cmd.Data); !template.Empty(); {
		var value cryptobyte.String
		var tag asn1.Tag
		if !template.ReadAnyASN1(&value, &tag) {
			return nil, apdu.WrongData
		}
		switch tag {
		case 0x80: // algorithm reference
			if named = c.layout.algorithmReferred(value); named == nil {
				return nil, apdu.ReferenceNotFound
			}
		case 0x81: // file reference: the keys have no files of their own
		case 0x83, 0x84: // key reference
			if key = c.key(value); key == nil {
				return nil, apdu.ReferenceNotFound
			}
		default:
			return nil, apdu.WrongData
		}
	}
	if key == nil {
		return nil, apdu.WrongData
	}
	algorithm := c.layout.algorithmOf(key)
	if named == nil && c.layout.needsAlgorithm {
		return nil, c.layout.refusal
	}
	if named != nil && named != algorithm {
		return nil, apdu.ReferenceNotFound
	}
	*chosen = &environment{key: key, algorithm: algorithm}
	return nil, apdu.OK
}

// keyFileEnvironment is MSE SET of a kind whose keys are files: 80 with the
// algorithm, 81 with the selected key file and 84 00, in this order. OpenSC leaves out
// 84 00 when the directory states no key reference.
func (c *Card) keyFileEnvironment(data []byte) (*environment, apdu.Status) {
	for i := range c.layout.keys {
		k := &c.layout.keys[i]
		algorithm := c.layout.algorithmOf(k)
		want := []byte{0x80, 1, algorithm.reference, 0x81, 2, byte(k.file >> 8), byte(k.file), 0x84, 1, 0x00}
		if !bytes.Equal(data, want) && !bytes.Equal(data, want[:7]) {
			continue
		}
		if c.current.id != k.file {
			return nil, apdu.ConditionsNotSatisfied
		}
		return &environment{key: k, algorithm: algorithm}, apdu.OK
	}
	return nil, c.layout.refusal
}

// key returns the key with this reference if the card holds it.
func (c *Card) key(reference []byte) *keyLayout {
	for i := range c.layout.keys {
		k := &c.layout.keys[i]
		if _, held := c.image.Keys[k.name]; held && len(reference) == 1 && k.reference == reference[0] {
			return k
		}
	}
	return nil
}

func (l *layout) algorithmReferred(reference []byte) *algorithm {
	for i := range l.algorithms {
		if len(reference) == 1 && l.algorithms[i].reference == reference[0] {
			return &l.algorithms[i]
		}
	}
	return nil
}

func (l *layout) algorithmOf(k *keyLayout) *algorithm {
	for i := range l.algorithms {
		if l.algorithms[i].index == k.algorithm {
			return &l.algorithms[i]
		}
	}
	return nil
}

// performSecurityOperation is PSO: COMPUTE DIGITAL SIGNATURE (ISO 7816-8
// §11.2, P1-P2 = 9E 9A).
func (c *Card) performSecurityOperation(cmd apdu.Command) ([]byte, apdu.Status) {
	if c.layout.hashFirst {
		if cmd.P1 != 0x90 || cmd.P2 != 0xA0 {
			return nil, apdu.WrongP1P2
		}
		return c.takeHash(cmd)
	}
	if c.layout.deciphers && cmd.P1 == 0x80 && cmd.P2 == 0x86 {
		return c.decipher(cmd.Data)
	}
	if cmd.P1 != 0x9E || cmd.P2 != 0x9A {
		return nil, apdu.WrongP1P2
	}
	if c.layout.deciphers && c.signing != nil && !c.signing.algorithm.curve {
		return nil, apdu.WrongLength
	}
	return c.sign(c.signing, cmd.Data)
}

// internalAuthenticate is INTERNAL AUTHENTICATE (ISO 7816-4 §11.5.2, P1-P2 =
// 00 00: algorithm and key as selected by MSE SET). It signs the same data as
// PSO.
func (c *Card) internalAuthenticate(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.WrongP1P2
	}
	return c.sign(c.proving, cmd.Data)
}

// sign signs if the key's PIN is verified. A key with user consent needs the
// PIN again before its next signature (ISO 7816-15 §8.2.1, userConsent).
func (c *Card) sign(e *environment, data []byte) ([]byte, apdu.Status) {
	if e == nil {
		return nil, apdu.ConditionsNotSatisfied
	}
	p := c.pinNamed(e.key.pin)
	if !p.verified {
		return nil, apdu.SecurityStatus
	}
	signature, err := e.algorithm.recipe(c.image.Keys[e.key.name].Private, data)
	if err != nil {
		return nil, apdu.WrongData
	}
	if c.evil == WrongSignature {
		signature[len(signature)-1] ^= 0x01
	}
	if p.signatures++; p.signatures == e.key.consent {
		p.verified = false
	}
	return signature, apdu.OK
}
