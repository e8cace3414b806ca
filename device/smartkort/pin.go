package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// PIN is a PIN of the card, as its directory describes it (PasswordAttributes,
// ISO 7816-15 §8.9.2).
type PIN struct {
	ID           []byte // by which keys name it
	Label        string
	Reference    byte // P2 of VERIFY
	Encoding     Encoding
	MinLength    int // digits
	MaxLength    int // digits
	StoredLength int // bytes that the card compares
	Pad          byte
	NeedsPadding bool // to StoredLength, with Pad
	Local        bool // to the DF of Path
	Unblocking   bool // a PUK
	Officer      bool // the security officer's, not the holder's
	Path         Path // the DF in which it is to be verified, if it says
}

// Encoding is how the digits become bytes (PasswordType).
type Encoding int

const (
	BCD   Encoding = 0 // two digits a byte
	ASCII Encoding = 1
	UTF8  Encoding = 2 // for digits the same as ASCII
)

// PINError says that the card did not accept the PIN.
type PINError struct {
	Tries int // left; 0 = blocked, -1 = the card does not tell
}

func (e *PINError) Error() string {
	switch e.Tries {
	case 0:
		return "PIN blocked"
	case -1:
		return "wrong PIN"
	}
	return fmt.Sprintf("wrong PIN, %d tries left", e.Tries)
}

// ErrPINForm says that a PIN cannot be right, as it is too short, too long or
// not digits. It was not sent: no try is spent.
var ErrPINForm = errors.New("no PIN of this card has this form")

// ErrNoPIN says that the key is guarded by no PIN that the card describes.
var ErrNoPIN = errors.New("card describes no PIN for this key")

// PINTries asks how many tries the PIN of the certificate's key has left,
// without spending one. It is not known where the card does not tell.
//
// The question is VERIFY without data (ISO 7816-4 §11.6.6) in the standard's
// class 00, never in a proprietary one, where its meaning is not defined.
func (c *Card) PINTries(ctx context.Context, cert Certificate) (tries int, known bool, err error) {
	pin, err := c.pinFor(ctx, cert.Key)
	if err != nil {
		return 0, false, fmt.Errorf("cannot ask for PIN tries: %w", err)
	}
	return c.tries(ctx, pin)
}

func (c *Card) tries(ctx context.Context, pin PIN) (tries int, known bool, err error) {
	if err := c.enterFor(ctx, pin); err != nil {
		return 0, false, fmt.Errorf("cannot ask for PIN tries: %w", err)
	}
	r, err := apdu.Exchange(ctx, c.conn, apdu.Command{INS: insVerify, P2: pin.Reference})
	if err != nil {
		return 0, false, fmt.Errorf("cannot ask for PIN tries: %w", err)
	}
	if r.SW == apdu.AuthBlocked {
		return 0, true, nil
	}
	tries, known = r.SW.Tries()
	return tries, known, nil
}

// VerifyPIN verifies the PIN of the certificate's key, digits in ASCII, which
// stays the caller's to wipe. It is sent once. Errors: *PINError, ErrPINForm,
// ErrNoPIN; any other means that nobody knows whether a try was spent.
func (c *Card) VerifyPIN(ctx context.Context, cert Certificate, pin []byte) error {
	p, err := c.pinFor(ctx, cert.Key)
	if err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	block, err := p.block(pin)
	if err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	defer clear(block)
	// What signing needs to know is read before: to select a file after
	// VERIFY could lose what it granted.
	if _, err := c.environment(ctx, cert.Key); err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	if err := c.enterFor(ctx, p); err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	var r apdu.Response
	for _, class := range c.profile.verifyClasses {
		r, err = apdu.Exchange(ctx, c.conn, apdu.Command{CLA: class, INS: insVerify, P2: p.Reference, Data: block})
		if err != nil {
			return fmt.Errorf("cannot verify PIN: %w", err)
		}
		if r.SW != apdu.CLAUnsupported && r.SW != apdu.INSUnsupported {
			break
		}
	}
	if tries, ok := r.SW.Tries(); ok {
		return &PINError{Tries: tries}
	}
	switch r.SW {
	case apdu.OK:
		return nil
	case apdu.AuthBlocked:
		return &PINError{Tries: 0}
	case 0x6300: // verification failed, no count (ISO 7816-4 §5.6.3)
		return &PINError{Tries: -1}
	}
	return fmt.Errorf("cannot verify PIN: %w", r.SW)
}

// block makes of the digits what VERIFY sends.
func (p PIN) block(digits []byte) ([]byte, error) {
	if len(digits) < max(p.MinLength, 1) || len(digits) > p.MaxLength {
		return nil, fmt.Errorf("%w: it takes %d to %d digits", ErrPINForm, p.MinLength, p.MaxLength)
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return nil, fmt.Errorf("%w: digits only", ErrPINForm)
		}
	}
	b := make([]byte, 0, max(p.StoredLength, len(digits)))
	if p.Encoding == BCD {
		for i := 0; i < len(digits); i += 2 {
			low := p.Pad & 0x0F
			if i+1 < len(digits) {
				low = digits[i+1] - '0'
			}
			b = append(b, (digits[i]-'0')<<4|low)
		}
	} else {
		b = append(b, digits...)
	}
	if p.NeedsPadding {
		for len(b) < p.StoredLength {
			b = append(b, p.Pad)
		}
	}
	return b, nil
}

// enterFor goes where the PIN is to be verified, and where its key is used
// then: leaving the DF of a local PIN would forget it.
func (c *Card) enterFor(ctx context.Context, p PIN) error {
	if len(p.Path.File) == 0 || bytes.Equal(p.Path.File, c.app.path) {
		return c.enter(ctx)
	}
	if c.at == place(p.Path.File) {
		return nil
	}
	_, err := c.selectFile(ctx, p.Path)
	var sw apdu.Status
	if errors.As(err, &sw) { // a path that cannot be selected guards nothing
		return c.enter(ctx)
	}
	if err == nil {
		c.at = place(p.Path.File)
	}
	return err
}

// pinFor gives the PIN that guards a key: the one that the key names, else the
// holder's only one, else the profile's.
func (c *Card) pinFor(ctx context.Context, k Key) (PIN, error) {
	pins, err := c.authObjects(ctx)
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
	switch {
	case len(own) == 1:
		return own[0], nil
	case len(pins) == 0 && c.profile.pin != nil:
		return *c.profile.pin, nil
	}
	return PIN{}, ErrNoPIN
}

// authObjects reads the PIN directories, once per Card.
func (c *Card) authObjects(ctx context.Context) ([]PIN, error) {
	if c.pinsRead {
		return c.pins, nil
	}
	var pins []PIN
	err := c.readObjects(ctx, c.odf.authObjects, func(o tlv.Object) error {
		if o.Tag != tagSequence { // other than a password: biometrics, keys
			return nil
		}
		p, err := decodePIN(o)
		pins = append(pins, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read PIN directory: %w", err)
	}
	c.pins, c.pinsRead = pins, true
	return pins, nil
}

// decodePIN reads a password object: CommonObjectAttributes,
// CommonAuthenticationObjectAttributes (authId), type attributes [1] with
// PasswordAttributes: pwdFlags, pwdType, minLength, storedLength, maxLength
// OPTIONAL, pwdReference [0] DEFAULT 0, padChar OPTIONAL, lastPwdChange
// OPTIONAL, path OPTIONAL (ISO 7816-15 §8.9).
func decodePIN(o tlv.Object) (PIN, error) {
	f := fields{rest: o.Value}
	p := PIN{Label: f.common().label, Pad: 0xFF}
	a := f.sequence(tagSequence)
	p.ID, _ = a.optional(tagOctetString)
	f.into(a)
	f.optional(tag0)
	outer := fields{rest: f.required(tag1), err: f.err}
	t := outer.sequence(tagSequence)

	flags := bits(t.required(tagBitString))
	p.Local, p.NeedsPadding = flags.has(1), flags.has(5)
	p.Unblocking, p.Officer = flags.has(6), flags.has(7)
	p.Encoding = Encoding(t.natural(tagEnumerated, int(UTF8)))
	p.MinLength = t.natural(tagInteger, apdu.MaxShortData)
	p.StoredLength = t.natural(tagInteger, apdu.MaxShortData)
	p.MaxLength = p.StoredLength
	if p.Encoding == BCD {
		p.MaxLength = 2 * p.StoredLength
	}
	if n, ok := t.integer(tagInteger); ok && n > 0 && n < p.MaxLength {
		p.MaxLength = n
	}
	if n, ok := t.integer(tag0Primitive); ok {
		p.Reference = byte(n) // a byte, which some cards code as a negative number
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
