package smartkort

import (
	"context"

	"smartkiosk/device/apdu/tlv"
)

// Key is a private key of the card, as its directory describes it.
type Key struct {
	ID          []byte
	Label       string
	Reference   int // key reference in commands, -1 when not stated
	Path        Path
	Bits        int // modulus length of an RSA key, 0 for other keys
	Usage       Usage
	AuthID      []byte // ID of the PIN that guards the key, empty for none
	UserConsent int    // signatures per PIN verification, 0 for no limit
	algorithms  []int  // references into TokenInfo
	kind        uint32
	piv         byte // algorithm for GENERAL AUTHENTICATE, 0 for none
}

// Usage is the part of a key's KeyUsageFlags that the driver uses (ISO 7816-15
// §8.2.12).
type Usage struct {
	Sign           bool // signs challenges: authentication
	NonRepudiation bool // makes binding signatures of the holder
	Decrypt        bool
}

const (
	keyRSA = tagSequence // PrivateKeyType: RSA is the untagged choice
	keyEC  = tag0
)

// Kind returns the name of the key's algorithm.
func (k Key) Kind() string {
	switch k.kind {
	case keyRSA:
		return "RSA"
	case keyEC:
		return "EC"
	}
	return "unknown algorithm"
}

// privateKeys reads the private key directories, once per Card.
func (c *Card) privateKeys(ctx context.Context) ([]Key, error) {
	if c.keysRead {
		return c.keys, nil
	}
	var keys []Key
	_, err := c.readObjects(ctx, "private key", c.odf.privateKeys, func(o tlv.Object) error {
		k, err := decodeKey(o)
		if err == nil {
			keys = append(keys, k)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.keys, c.keysRead = keys, true
	return keys, nil
}

// decodeKey decodes one PrivateKeyType: CommonObjectAttributes,
// CommonKeyAttributes, subclass attributes [0] OPTIONAL, type attributes [1]
// (ISO 7816-15 §8.4).
func decodeKey(o tlv.Object) (Key, error) {
	k := Key{kind: o.Tag, Reference: -1}
	f := fields{rest: o.Value}
	common := f.common()
	k.Label, k.AuthID, k.UserConsent = common.label, common.authID, common.consent

	// CommonKeyAttributes: iD, usage, native DEFAULT TRUE, accessFlags
	// OPTIONAL, keyReference OPTIONAL, startDate OPTIONAL, endDate [0]
	// OPTIONAL, algReference [1] OPTIONAL (§8.2.12).
	a := f.sequence(tagSequence)
	k.ID = a.required(tagOctetString)
	usage := bits(a.required(tagBitString))
	k.Usage = Usage{Sign: usage.has(2) || usage.has(3), NonRepudiation: usage.has(9), Decrypt: usage.has(1) || usage.has(5)}
	a.boolean()
	a.optional(tagBitString)
	if n, ok := a.integer(tagInteger); ok {
		k.Reference = n & 0xFF // a byte, which some cards encode as a negative number
	}
	a.optional(tagTime)
	a.optional(tag0Primitive)
	if list, ok := a.optional(tag1); ok {
		refs := fields{rest: list}
		for len(k.algorithms) < maxObjects {
			n, ok := refs.integer(tagInteger)
			if !ok {
				break
			}
			k.algorithms = append(k.algorithms, n)
		}
		a.into(&refs)
	}
	f.into(a)

	f.optional(tag0)
	if v, ok := f.optional(tag1); ok {
		outer := fields{rest: v}
		t := outer.sequence(tagSequence)
		if p, ok := t.optional(tagSequence); ok { // ObjectValue, indirect: a path
			at := fields{rest: p}
			k.Path = at.pathBody()
			t.into(&at)
		}
		if k.kind == keyRSA {
			k.Bits, _ = t.integer(tagInteger)
		}
		f.into(t)
	}
	return k, f.err
}
