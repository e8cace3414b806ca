package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/device/apdu"
)

// PINError means that the card did not accept the PIN or PUK.
type PINError struct {
	Tries int  // tries left; 0 = blocked, -1 = the card does not tell
	PUK   bool // the card refused the PUK, not the PIN
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

// ErrNoPIN means that the card describes no PIN that guards the key.
var ErrNoPIN = errors.New("card describes no PIN for this key")

// ErrInactive means that the holder must activate the card before its PIN can
// be used.
var ErrInactive = errors.New("card is not activated")

// PINTries asks the card how many tries are left for the PIN of the
// certificate's key. The question spends no try. known is false when the card
// does not tell. Errors: ErrNoPIN, ErrInactive, or that the card cannot be
// asked.
//
// The question is VERIFY without data (ISO 7816-4 §11.6.6) in the standard's
// class 00. It is never sent in a proprietary class, where its meaning is not
// defined.
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

// askTries asks the card for the tries left and returns its status word.
func (c *Card) askTries(ctx context.Context, pin PIN) (apdu.Status, error) {
	if err := c.enterFor(ctx, pin); err != nil {
		return 0, err
	}
	r, err := c.command(ctx, apdu.Command{INS: insVerify, P2: pin.Reference})
	if _, told := r.SW.Tries(); told && err == nil {
		c.tellsTries = true
	}
	return r.SW, err
}

// triesOf interprets the status word of askTries. The error can be ErrInactive.
func (c *Card) triesOf(sw apdu.Status) (tries int, known bool, err error) {
	err = c.pinError(sw, false)
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return max(wrong.Tries, 0), wrong.Tries >= 0, nil
	}
	if errors.Is(err, ErrInactive) {
		return 0, false, err
	}
	return 0, false, nil
}

// VerifyPIN verifies the PIN of the certificate's key. pin is digits in ASCII;
// the caller must wipe it. It is sent once. Errors: *PINError, ErrPINForm,
// ErrNoPIN, ErrInactive. After any other error it is unknown whether a try was
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

// verifyClasses returns the class bytes to try, starting with the one that is
// known to work.
func (c *Card) verifyClasses() []byte {
	classes := slices.Concat(c.class, c.profile.Verify.Classes)
	if c.learning {
		classes = append(classes, otherClasses...)
	}
	var once []byte
	for _, class := range classes {
		if !slices.Contains(once, class) {
			once = append(once, class)
		}
	}
	return once
}

// readyToVerify finds the PIN of a certificate's key and selects the DF in
// which it must be verified.
func (c *Card) readyToVerify(ctx context.Context, cert Certificate) (PIN, error) {
	p, err := c.pinFor(ctx, cert.Key)
	if err != nil {
		return PIN{}, err
	}
	return p, c.enterFor(ctx, p)
}

// verified records the result of a VERIFY.
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

// present sends a command that contains a PIN, once. It tries the next class
// only when the card does not know the class or instruction; the card has not
// checked the PIN then. puk means that a wrong value is the PUK.
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
	return c.pinError(r.SW, puk)
}

// pinError returns the meaning of a status word that answers a command with a
// PIN: as the profile states it, otherwise as in ISO 7816-4 §5.6.3.
func (c *Card) pinError(sw apdu.Status, puk bool) error {
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

// enterFor selects the DF in which the PIN must be verified. The key is used in
// the same DF, because the card forgets a local PIN when another DF is
// selected.
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
	if errors.As(err, &sw) { // the path cannot be selected: ignore it
		return c.enter(ctx)
	}
	if err == nil {
		c.at = place(p.Path.File)
	}
	return err
}
