package smartkort

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// HasPINPad reports whether the holder can type the PIN on the reader.
func (c *Card) HasPINPad() bool {
	pad, ok := c.channel.Conn.(slot.PINPad)
	return ok && pad.HasPINPad()
}

// VerifyPINOnPad is VerifyPIN with the PIN typed on the reader's own keypad.
// The holder has about 30 s to start typing. Further errors:
// slot.ErrPadCancelled, slot.ErrPadTimeout and slot.ErrPadLength; no try was
// spent then. If the card does not know the class of the command, the reader
// asks for the PIN again.
func (c *Card) VerifyPINOnPad(ctx context.Context, cert Certificate) error {
	pad, ok := c.channel.Conn.(slot.PINPad)
	if !ok || !pad.HasPINPad() {
		return errors.New("cannot verify PIN: the reader has no keypad")
	}
	p, err := c.readyToVerify(ctx, cert)
	if err != nil {
		return fmt.Errorf("cannot verify PIN: %w", err)
	}
	return c.verified(p, c.presentOnPad(ctx, pad, p))
}

func (c *Card) presentOnPad(ctx context.Context, pad slot.PINPad, p PIN) error {
	if p.Encoding > UTF8 || p.StoredLength == 0 {
		return fmt.Errorf("%w: type %d in %d bytes", ErrPINEncoding, p.Encoding, p.StoredLength)
	}
	block := make([]byte, p.StoredLength)
	for i := range block {
		block[i] = p.Pad
	}
	for _, class := range c.verifyClasses() {
		command, err := apdu.Command{CLA: class, INS: insVerify, P2: p.Reference, Data: block}.Bytes()
		if err != nil {
			return err
		}
		answer, err := pad.VerifyOnPad(ctx, slot.PINEntry{
			Command: command, BCD: p.Encoding == BCD, Min: p.MinLength, Max: min(p.MaxLength, p.capacity()),
		})
		if err != nil {
			return err
		}
		r, err := apdu.ParseResponse(answer)
		if err != nil {
			return err
		}
		if r.SW != apdu.CLAUnsupported && r.SW != apdu.INSUnsupported {
			c.class = []byte{class}
			return c.pinError(r.SW, false)
		}
	}
	return apdu.CLAUnsupported
}
