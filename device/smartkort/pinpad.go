package smartkort

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// HasPINPad reports whether the holder can type the PIN on the reader.
func (c *Card) HasPINPad() bool {
	pad, ok := c.channel.Conn.(slot.PINPad)
	return ok && !c.padRefused && pad.HasPINPad()
}

// VerifyPINOnPad is VerifyPIN with the PIN typed on the reader's own keypad.
// The holder has about 30 s to start typing. Further errors:
// slot.ErrPadCancelled, slot.ErrPadTimeout, slot.ErrPadLength and
// slot.ErrPadRefused; no try was spent then. After ErrPadRefused HasPINPad returns
// false, and the PIN must be typed elsewhere. If the card does not know the class of the command, the reader
// asks for the PIN again.
func (c *Card) VerifyPINOnPad(ctx context.Context, cert Certificate) error {
	pad, ok := c.channel.Conn.(slot.PINPad)
	if !ok || !c.HasPINPad() {
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
		asked := time.Now()
		answer, err := pad.VerifyOnPad(ctx, slot.PINEntry{
			Command: command, BCD: p.Encoding == BCD, Min: p.MinLength, Max: min(p.MaxLength, p.capacity()),
		})
		if err != nil {
			return c.padError(err, time.Since(asked))
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

// padError returns the error of a reader that took a time to fail. Unless the card or
// the visit is over, an error that came before anybody could have typed means that the
// reader refuses to ask.
func (c *Card) padError(err error, took time.Duration) error {
	for _, known := range []error{
		slot.ErrNoCard, slot.ErrPadCancelled, slot.ErrPadTimeout, slot.ErrPadLength, context.Canceled, context.DeadlineExceeded, ErrTimeout,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	if took < slot.TypingTime && !errors.Is(err, slot.ErrPadRefused) {
		err = fmt.Errorf("%w: %w", slot.ErrPadRefused, err)
	}
	c.padRefused = c.padRefused || errors.Is(err, slot.ErrPadRefused)
	return err
}
