package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/device/apdu"
)

// PINError says that the card did not accept the PIN.
type PINError struct {
	Tries int  // left; 0 = blocked, -1 = the card does not tell
	PUK   bool // it was the PUK
}

func (e *PINError) Error() string {
	name := "PIN"
	if e.PUK {
		name = "PUK"
	}
	switch e.Tries {
	case 0:
		return name + " blocked"
	case -1:
		return "wrong " + name
	case 1:
		return "wrong " + name + ", 1 try left"
	}
	return fmt.Sprintf("wrong %s, %d tries left", name, e.Tries)
}

// ErrNoPIN says that the key is guarded by no PIN that the card describes.
var ErrNoPIN = errors.New("card describes no PIN for this key")

// ErrInactive says that the card must be activated by its holder before its
// PIN is of any use.
var ErrInactive = errors.New("card is not activated")

// PINTries asks how many tries the PIN of the certificate's key has left,
// without spending one. It is not known where the card does not tell. Errors:
// ErrNoPIN, ErrInactive, or that the card cannot be asked.
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
	sw, err := c.askTries(ctx, pin)
	if err != nil {
		return 0, false, fmt.Errorf("cannot ask for PIN tries: %w", err)
	}
	return c.triesOf(sw)
}

// askTries gives what the card answers to the question.
func (c *Card) askTries(ctx context.Context, pin PIN) (apdu.Status, error) {
	if err := c.enterFor(ctx, pin); err != nil {
		return 0, err
	}
	r, err := c.command(ctx, apdu.Command{INS: insVerify, P2: pin.Reference})
	return r.SW, err
}

// triesOf says what it means. The error can be ErrInactive.
func (c *Card) triesOf(sw apdu.Status) (tries int, known bool, err error) {
	err = c.judge(sw, false)
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return max(wrong.Tries, 0), wrong.Tries >= 0, nil
	}
	if errors.Is(err, ErrInactive) {
		return 0, false, err
	}
	return 0, false, nil
}

// VerifyPIN verifies the PIN of the certificate's key, digits in ASCII, which
// stays the caller's to wipe. It is sent once. Errors: *PINError, ErrPINForm,
// ErrNoPIN, ErrInactive; any other means that nobody knows whether a try was
// spent.
func (c *Card) VerifyPIN(ctx context.Context, cert Certificate, pin []byte) error {
	p, err := c.readyToVerify(ctx, cert)
	if err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	block, err := p.block(pin)
	if err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	defer clear(block)
	err = c.present(ctx, c.verifyClasses(), apdu.Command{INS: insVerify, P2: p.Reference, Data: block}, false)
	return c.verified(p, err)
}

// verifyClasses are the classes to try, the one that is known to do first.
func (c *Card) verifyClasses() []byte { return slices.Concat(c.class, c.profile.Verify.Classes) }

// readyToVerify finds the PIN of a certificate's key and goes where it is to
// be verified.
func (c *Card) readyToVerify(ctx context.Context, cert Certificate) (PIN, error) {
	p, err := c.pinFor(ctx, cert.Key)
	if err != nil {
		return PIN{}, err
	}
	return p, c.enterFor(ctx, p)
}

// verified notes what came of a VERIFY.
func (c *Card) verified(p PIN, err error) error {
	if err == nil {
		c.uses[string(p.ID)] = 0
		return nil
	}
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return wrong
	}
	return fmt.Errorf("cannot verify PIN: %w", err)
}

// present sends a command that has a PIN in it, once: in the next class only
// when the card says that it does not know the class or instruction, which it
// does before it looks at any PIN. puk tells that what can be wrong in it
// is the PUK.
func (c *Card) present(ctx context.Context, classes []byte, cmd apdu.Command, puk bool) error {
	var r apdu.Response
	var err error
	for _, cmd.CLA = range classes {
		if r, err = c.command(ctx, cmd); err != nil {
			return err
		}
		if r.SW != apdu.CLAUnsupported && r.SW != apdu.INSUnsupported {
			if cmd.INS == insVerify {
				c.class = []byte{cmd.CLA}
			}
			break
		}
	}
	return c.judge(r.SW, puk)
}

// judge says what a status means that answers a command with a PIN in it: by
// the profile, else as ISO 7816-4 §5.6.3 has it.
func (c *Card) judge(sw apdu.Status, puk bool) error {
	switch c.profile.PINStatus[fmt.Sprintf("%04X", uint16(sw))] {
	case "blocked":
		return &PINError{Tries: 0, PUK: puk}
	case "inactive":
		return ErrInactive
	case "wrong":
		return &PINError{Tries: -1, PUK: puk}
	}
	if tries, ok := sw.Tries(); ok {
		return &PINError{Tries: tries, PUK: puk}
	}
	switch sw {
	case apdu.OK:
		return nil
	case apdu.AuthBlocked:
		return &PINError{Tries: 0, PUK: puk}
	case 0x6300: // verification failed, no count
		return &PINError{Tries: -1, PUK: puk}
	}
	return sw
}

// enterFor goes where the PIN is to be verified, and where its key is used
// then: leaving the DF of a local PIN would forget it.
func (c *Card) enterFor(ctx context.Context, p PIN) error {
	global := !p.Local && p.Reference&0x80 == 0 // for the whole card (ISO 7816-4 §11.6.1)
	if global || len(p.Path.File) == 0 || bytes.Equal(p.Path.File, c.app.Path) {
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
