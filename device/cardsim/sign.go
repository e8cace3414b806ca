package cardsim

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"smartkiosk/device/apdu"
)

// manageSecurityEnvironment is MSE SET of the digital signature template (ISO
// 7816-4 §11.5.11, P1-P2 = 41 B6): it chooses the key that signs.
func (c *Card) manageSecurityEnvironment(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 != 0x41 || cmd.P2 != 0xB6 {
		return nil, apdu.WrongP1P2
	}
	c.signing = nil
	var key *keyLayout
	for template := cryptobyte.String(cmd.Data); !template.Empty(); {
		var value cryptobyte.String
		var tag der.Tag
		if !template.ReadAnyASN1(&value, &tag) {
			return nil, apdu.WrongData
		}
		switch tag {
		case 0x80: // algorithm reference
			if len(value) != 1 || value[0] != c.layout.algorithm {
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
	c.signing = key
	return nil, apdu.OK
}

// key finds the key layout that a reference means and that the card holds.
func (c *Card) key(reference []byte) *keyLayout {
	for i := range c.layout.keys {
		k := &c.layout.keys[i]
		if _, held := c.image.Keys[k.name]; held && len(reference) == 1 && k.reference == reference[0] {
			return k
		}
	}
	return nil
}

// performSecurityOperation is PSO: COMPUTE DIGITAL SIGNATURE (ISO 7816-8
// §11.2, P1-P2 = 9E 9A). The data is a DigestInfo, which the card pads to the
// key's length by PKCS #1 v1.5 (RFC 8017 §9.2) and signs.
func (c *Card) performSecurityOperation(cmd apdu.Command) ([]byte, apdu.Status) {
	switch {
	case cmd.P1 != 0x9E || cmd.P2 != 0x9A:
		return nil, apdu.WrongP1P2
	case c.signing == nil:
		return nil, apdu.ConditionsNotSatisfied
	case !c.pinNamed(c.signing.pin).verified:
		return nil, apdu.SecurityStatus
	case !isDigestInfo(cmd.Data):
		return nil, apdu.WrongData
	}
	signature, err := rsa.SignPKCS1v15(nil, c.image.Keys[c.signing.name].Private, crypto.Hash(0), cmd.Data)
	if err != nil {
		return nil, apdu.WrongData
	}
	return signature, apdu.OK
}

func isDigestInfo(b []byte) bool {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	rest, err := asn1.Unmarshal(b, &info)
	return err == nil && len(rest) == 0
}
