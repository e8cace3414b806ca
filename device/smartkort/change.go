package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// ErrNotPublic says that nobody knows in public how the card is asked for
// something. Nothing was sent.
var ErrNotPublic = errors.New("how this kind of card does that is not public")

// ErrSamePIN says that the new PIN is the old one. Nothing was sent.
var ErrSamePIN = errors.New("the new PIN is the old one")

// ChangePIN replaces a PIN, digits in ASCII, which stay the caller's to wipe.
// It is sent once. Errors: *PINError (the old one is wrong), ErrPINForm and
// ErrSamePIN, ErrInactive, ErrNotPublic; any other means that nobody knows
// whether a try was spent, or which PIN counts.
func (c *Card) ChangePIN(ctx context.Context, p PIN, old, new []byte) error {
	if bytes.Equal(old, new) {
		return fmt.Errorf("cannot change PIN: %w", ErrSamePIN)
	}
	if c.profile.Change.Recipe == recipeUnknown {
		return fmt.Errorf("cannot change PIN: %w (profile %s)", ErrNotPublic, c.profile.Name)
	}
	data, err := joined(p, old, p, new)
	if err != nil {
		return fmt.Errorf("cannot change PIN: %w", err)
	}
	defer clear(data)
	if err := c.enterFor(ctx, p); err != nil {
		return fmt.Errorf("cannot change PIN: %w", err)
	}
	cmd := apdu.Command{INS: insChange, P2: p.Reference, Data: data} // ISO 7816-4 §11.6.7, P1 = 00
	if err := c.present(ctx, c.profile.Change.Classes, cmd, false); err != nil {
		return fmt.Errorf("cannot change PIN: %w", err)
	}
	return nil
}

// UnblockPIN gives a PIN new tries and a new value by its PUK, digits in
// ASCII, which stay the caller's to wipe. It is sent once. Errors: *PINError
// (the PUK is wrong), ErrPINForm, ErrNoPIN (the card describes no PUK),
// ErrInactive, ErrNotPublic; any other means that nobody knows whether a try
// of the PUK was spent.
func (c *Card) UnblockPIN(ctx context.Context, p PIN, puk, new []byte) error {
	if err := c.unblock(ctx, p, puk, new); err != nil {
		return fmt.Errorf("cannot unblock PIN: %w", err)
	}
	return nil
}

func (c *Card) unblock(ctx context.Context, p PIN, puk, new []byte) error {
	recipe := c.profile.Unblock
	if recipe.Recipe == recipeUnknown {
		return fmt.Errorf("%w (profile %s)", ErrNotPublic, c.profile.Name)
	}
	by, err := c.pukFor(ctx, p)
	if err != nil {
		return err
	}
	data, err := joined(by, puk, p, new)
	if err != nil {
		return err
	}
	defer clear(data)
	if err := c.enterFor(ctx, p); err != nil {
		return err
	}
	// ISO 7816-4 §11.6.10: P1 = 00 for PUK and new PIN, 02 for the new PIN
	// alone.
	cmd := apdu.Command{INS: insResetCounter, P2: p.Reference, Data: data}
	if recipe.Recipe == recipeVerifyPUK {
		length := len(data) - blockLength(p, new)
		verify := apdu.Command{INS: insVerify, P2: by.Reference, Data: data[:length]}
		if err := c.present(ctx, recipe.Classes, verify, true); err != nil {
			return err
		}
		cmd.P1, cmd.Data = 0x02, data[length:]
	}
	return c.present(ctx, recipe.Classes, cmd, true)
}

// pukFor gives the PUK of a PIN: the one that it names, else the card's only
// one.
func (c *Card) pukFor(ctx context.Context, p PIN) (PIN, error) {
	pins, err := c.PINs(ctx)
	if err != nil {
		return PIN{}, err
	}
	var puks []PIN
	for _, puk := range pins {
		if !puk.Unblocking {
			continue
		}
		if len(p.unblockedBy) > 0 && bytes.Equal(puk.ID, p.unblockedBy) {
			return puk, nil
		}
		puks = append(puks, puk)
	}
	if len(puks) == 1 {
		return puks[0], nil
	}
	return PIN{}, fmt.Errorf("%w: no PUK", ErrNoPIN)
}

// joined gives two PINs as a command carries them, one after the other.
func joined(first PIN, a []byte, second PIN, b []byte) ([]byte, error) {
	one, err := first.block(a)
	if err != nil {
		return nil, err
	}
	defer clear(one)
	two, err := second.block(b)
	if err != nil {
		return nil, err
	}
	defer clear(two)
	data := make([]byte, 0, len(one)+len(two))
	return append(append(data, one...), two...), nil
}

// blockLength is the bytes that a PIN takes in a command.
func blockLength(p PIN, digits []byte) int {
	n := len(digits)
	if p.Encoding == BCD {
		n = (n + 1) / 2
	}
	if p.NeedsPadding {
		n = max(n, p.StoredLength)
	}
	return n
}
