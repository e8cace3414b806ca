package smartkort

import (
	"bytes"
	"context"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// PIN is a PIN or PUK as the card's directory describes it
// (PasswordAttributes, ISO 7816-15 §8.9.2).
type PIN struct {
	ID           []byte // used by keys
	Label        string
	Reference    byte // P2 of VERIFY
	Encoding     Encoding
	MinLength    int // digits
	MaxLength    int // digits
	StoredLength int // bytes that the card compares
	Pad          byte
	NeedsPadding bool   // to StoredLength, with Pad
	Local        bool   // valid only in the DF at Path
	Unblocking   bool   // a PUK
	Officer      bool   // belongs to the security officer, not to the holder
	Path         Path   // the DF in which to verify it, if stated
	unblockedBy  []byte // ID of the PUK, if stated

	changeDisabled, unblockDisabled bool
}

// PINs returns the PINs and PUKs that the card describes, or those of its
// profile when the card describes none.
func (c *Card) PINs(ctx context.Context) ([]PIN, error) {
	pins, err := c.authObjects(ctx)
	if err == nil && len(pins) == 0 {
		pins = c.profile.pins()
	}
	return pins, err
}

// PIN returns the PIN that guards the certificate's key. Errors: ErrNoPIN, or
// that the card cannot be read.
func (c *Card) PIN(ctx context.Context, cert Certificate) (PIN, error) {
	return c.pinFor(ctx, cert.Key)
}

// Encoding is the encoding of the digits in a command (PasswordType).
type Encoding int

const (
	BCD   Encoding = 0 // two digits per byte
	ASCII Encoding = 1
	UTF8  Encoding = 2 // the same as ASCII for digits
)

// pinFor returns the PIN that guards a key: the PIN that the key refers to, or
// the holder's only PIN.
func (c *Card) pinFor(ctx context.Context, k Key) (PIN, error) {
	pins, err := c.PINs(ctx)
	if err != nil {
		return PIN{}, err
	}
	var own []PIN
	for _, p := range pins {
		if len(k.AuthID) > 0 && bytes.Equal(p.ID, k.AuthID) {
			return p, nil
		}
		if !p.Unblocking && !p.Officer {
			own = append(own, p)
		}
	}
	if c.pinProblem != nil { // the PIN that cannot be decoded may be the one
		return PIN{}, fmt.Errorf("%w: %w", ErrNoPIN, c.pinProblem)
	}
	if len(own) == 1 {
		return own[0], nil
	}
	return PIN{}, ErrNoPIN
}

// authObjects reads the PIN directories, once per Card.
func (c *Card) authObjects(ctx context.Context) ([]PIN, error) {
	if c.pinsRead {
		return c.pins, nil
	}
	var pins []PIN
	problem, err := c.readObjects(ctx, "PIN", c.odf.authObjects, func(o tlv.Object) error {
		if o.Tag != tagSequence { // not a password: biometrics, keys
			return nil
		}
		p, err := decodePIN(o)
		if err == nil {
			pins = append(pins, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.pins, c.pinsRead, c.pinProblem = pins, true, problem
	return pins, nil
}

// decodePIN decodes a password object: CommonObjectAttributes,
// CommonAuthenticationObjectAttributes (authId), type attributes [1] with
// PasswordAttributes: pwdFlags, pwdType, minLength, storedLength, maxLength
// OPTIONAL, pwdReference [0] DEFAULT 0, padChar OPTIONAL, lastPwdChange
// OPTIONAL, path OPTIONAL (ISO 7816-15 §8.9).
func decodePIN(o tlv.Object) (PIN, error) {
	f := fields{rest: o.Value}
	common := f.common()
	p := PIN{Label: common.label, unblockedBy: common.authID, Pad: 0xFF}
	a := f.sequence(tagSequence)
	p.ID, _ = a.optional(tagOctetString)
	f.into(a)
	f.optional(tag0)
	outer := fields{rest: f.required(tag1), err: f.err}
	t := outer.sequence(tagSequence)

	flags := bits(t.required(tagBitString))
	p.Local, p.NeedsPadding = flags.has(1), flags.has(5)
	p.changeDisabled, p.unblockDisabled = flags.has(2), flags.has(3)
	p.Unblocking, p.Officer = flags.has(6), flags.has(7)
	p.Encoding = Encoding(t.natural(tagEnumerated, 0xFF))
	p.MinLength = t.natural(tagInteger, apdu.MaxShortData)
	p.StoredLength = t.natural(tagInteger, apdu.MaxShortData)
	p.MaxLength = p.capacity()
	if n, ok := t.integer(tagInteger); ok && n > 0 && n < p.MaxLength {
		p.MaxLength = n
	}
	if n, ok := t.integer(tag0Primitive); ok {
		p.Reference = byte(n) // a byte, which some cards encode as a negative number
	}
	if pad, ok := t.optional(tagOctetString); ok && len(pad) == 1 {
		p.Pad = pad[0]
	}
	t.optional(tagTime)
	if path, ok := t.optional(tagSequence); ok {
		at := fields{rest: path}
		p.Path = at.pathBody()
		t.into(&at)
	}
	return p, t.err
}
