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

// PIN is what the module reports about a PIN.
type PIN struct {
	MinLength int
	MaxLength int
	Tries     int  // left: 0 = blocked, 1 = the last, -1 = unknown
	OnReader  bool // the holder types it on the reader, or in a window of the module
}

// PIN returns the state of the PIN that guards the certificate's key.
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

// VerifyPIN verifies the PIN of the certificate's key, digits in ASCII. It passes
// the PIN to the module once; the caller wipes it. Errors: *smartkort.PINError
// and smartkort.ErrInactive. After any other error it is unknown whether a try
// was spent.
func (c *Card) VerifyPIN(ctx context.Context, cert Certificate, pin []byte) error {
	if len(pin) == 0 { // the module would ask for the PIN on the reader
		return fmt.Errorf("cannot verify PIN: %w", smartkort.ErrPINForm)
	}
	return c.verify(ctx, cert, pin)
}

// VerifyPINOnPad is VerifyPIN with the PIN typed on the reader. It can also fail
// with slot.ErrPadCancelled, which includes a timeout, because Cryptoki has one
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
	// This includes CKR_USER_ALREADY_LOGGED_IN: the module did not check this PIN.
	return fmt.Errorf("cannot verify PIN: %w", err)
}

// wrong returns the error for a wrong PIN, with the tries that are left if the
// module reports them.
func (c *Card) wrong(cert Certificate) error {
	info, err := c.module.ctx.GetTokenInfo(cert.token.slot)
	if err != nil {
		return &smartkort.PINError{Tries: -1}
	}
	return &smartkort.PINError{Tries: tries(info.Flags)}
}
