//go:build pkcs11

package pkcs11card

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// PIN is what the module tells of a PIN without being given it.
type PIN struct {
	MinLength int
	MaxLength int
	Tries     int  // left: 0 = blocked, 1 = the last, -1 = the module does not tell
	OnReader  bool // it is to be typed on the reader, or in a window of the module
}

// PIN asks about the PIN that guards the certificate's key.
func (c *Card) PIN(ctx context.Context, cert Certificate) (PIN, error) {
	if err := ctx.Err(); err != nil {
		return PIN{}, fmt.Errorf("cannot ask about PIN: %w", err)
	}
	info, err := c.module.ctx.GetTokenInfo(cert.token.slot)
	if err != nil {
		return PIN{}, fmt.Errorf("cannot ask about PIN: %w", err)
	}
	return PIN{
		MinLength: int(info.MinPinLen), MaxLength: int(info.MaxPinLen), Tries: tries(info.Flags),
		OnReader: info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0,
	}, nil
}

// tries reads the flags of a token (§3.2, CK_TOKEN_INFO).
func tries(flags uint) int {
	switch {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return 0
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return 1
	}
	return -1
}

// VerifyPIN verifies the PIN of the certificate's key, digits in ASCII, which
// stays the caller's to wipe. It is given to the module once. Errors:
// *smartkort.PINError, smartkort.ErrInactive; any other means that nobody
// knows whether a try was spent.
func (c *Card) VerifyPIN(ctx context.Context, cert Certificate, pin []byte) error {
	if len(pin) == 0 { // which would ask for it on the reader
		return fmt.Errorf("cannot verify PIN: %w", smartkort.ErrPINForm)
	}
	return c.verify(ctx, cert, pin)
}

// VerifyPINOnPad is VerifyPIN with the PIN typed on the reader. Further error:
// slot.ErrPadCancelled, which stands for a time-out as well: Cryptoki has one
// code for both.
func (c *Card) VerifyPINOnPad(ctx context.Context, cert Certificate) error {
	return c.verify(ctx, cert, nil)
}

func (c *Card) verify(ctx context.Context, cert Certificate, pin []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	err := c.module.login(cert.token.session, pin)
	switch code := pkcs11.Error(0); {
	case err == nil:
		return nil
	case !errors.As(err, &code):
	case code == pkcs11.CKR_PIN_LOCKED:
		return &smartkort.PINError{Tries: 0}
	case code == pkcs11.CKR_PIN_INCORRECT, code == pkcs11.CKR_PIN_LEN_RANGE, code == pkcs11.CKR_PIN_INVALID:
		return c.wrong(cert)
	case code == pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		return fmt.Errorf("cannot verify PIN: %w", smartkort.ErrInactive)
	case code == pkcs11.CKR_FUNCTION_CANCELED, code == pkcs11.CKR_FUNCTION_REJECTED, code == pkcs11.CKR_CANCEL:
		return fmt.Errorf("cannot verify PIN: %w", slot.ErrPadCancelled)
	}
	// CKR_USER_ALREADY_LOGGED_IN among them: this PIN was not looked at.
	return fmt.Errorf("cannot verify PIN: %w", err)
}

// wrong says how many tries are left after a wrong PIN, as far as the module
// tells.
func (c *Card) wrong(cert Certificate) error {
	info, err := c.module.ctx.GetTokenInfo(cert.token.slot)
	if err != nil {
		return &smartkort.PINError{Tries: -1}
	}
	return &smartkort.PINError{Tries: tries(info.Flags)}
}
