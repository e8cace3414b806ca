package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// ErrNotPublic means that the command for this operation on this kind of card
// is not public. Nothing was sent.
var ErrNotPublic = errors.New("the command for this kind of card is not public")

// ErrDisabled means that the card does not allow this operation on this PIN.
// Nothing was sent.
var ErrDisabled = errors.New("the card does not allow this for the PIN")

// ErrSamePIN means that the new PIN equals the old one. Nothing was sent.
var ErrSamePIN = errors.New("the new PIN is the same as the old one")

// ChangePIN replaces a PIN. old and new are digits in ASCII; the caller must
// wipe them. The command is sent once. Errors: *PINError (old is wrong),
// ErrPINForm, ErrSamePIN, ErrInactive, and those of CanChange. After any other
// error it is unknown whether a try was spent and which PIN is valid.
func (c *Card) ChangePIN(ctx context.Context, p PIN, old, new []byte) error {
	if bytes.Equal(old, new) {
		return fmt.Errorf("cannot change PIN: %w", ErrSamePIN)
	}
	if err := c.CanChange(p); err != nil {
		return fmt.Errorf("cannot change PIN: %w", err)
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

// CanChange returns why ChangePIN cannot change a PIN, nil when it can. Errors:
// ErrNotPublic, ErrDisabled.
func (c *Card) CanChange(p PIN) error {
	switch {
	case c.profile.Change.Recipe == recipeUnknown:
		return fmt.Errorf("%w (profile %s)", ErrNotPublic, c.profile.Name)
	case p.changeDisabled:
		return fmt.Errorf("%w: change-disabled", ErrDisabled)
	}
	return nil
}

// CanUnblock returns why UnblockPIN cannot unblock a PIN, nil when it can.
// Errors: ErrNotPublic, ErrDisabled, ErrNoPIN, or that the card cannot be read.
func (c *Card) CanUnblock(ctx context.Context, p PIN) error {
	switch {
	case c.profile.Unblock.Recipe == recipeUnknown:
		return fmt.Errorf("%w (profile %s)", ErrNotPublic, c.profile.Name)
	case p.unblockDisabled:
		return fmt.Errorf("%w: unblock-disabled", ErrDisabled)
	}
	_, err := c.pukFor(ctx, p)
	return err
}

// PUK returns the PUK that unblocks a PIN. Errors: ErrNoPIN, or that the card cannot
// be read.
func (c *Card) PUK(ctx context.Context, p PIN) (PIN, error) { return c.pukFor(ctx, p) }

// Page returns the address of the issuer's own page, on which the holder can change and
// unblock the PIN; "" if the profile names none.
func (c *Card) Page() string { return c.profile.Page }

// UnblockPIN uses the PUK to unblock a PIN and to set its new value. puk and
// new are digits in ASCII; the caller must wipe them. The command is sent once.
// Errors: *PINError (the PUK is wrong), ErrPINForm, ErrInactive, and those of
// CanUnblock. After any other error it is unknown whether a try of the PUK was spent.
func (c *Card) UnblockPIN(ctx context.Context, p PIN, puk, new []byte) error {
	if err := c.unblock(ctx, p, puk, new); err != nil {
		return fmt.Errorf("cannot unblock PIN: %w", err)
	}
	return nil
}

func (c *Card) unblock(ctx context.Context, p PIN, puk, new []byte) error {
	recipe := c.profile.Unblock
	if err := c.CanUnblock(ctx, p); err != nil {
		return err
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

// pukFor returns the PUK of a PIN: the PUK that it refers to, or the card's only
// PUK. If the card describes none, it is the profile's, or a PUK in the form of
// the PIN, which RESET RETRY COUNTER needs no reference of.
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
	switch {
	case len(puks) > 1:
		return PIN{}, fmt.Errorf("%w: the card does not say which of %d PUKs unblocks it", ErrNoPIN, len(puks))
	case c.profile.PUK != nil:
		puk := c.profile.PUK.pin()
		puk.Unblocking = true
		return puk, nil
	case c.profile.Unblock.Recipe == recipeVerifyPUK:
		return PIN{}, fmt.Errorf("%w: no PUK", ErrNoPIN)
	}
	puk := p
	puk.Unblocking = true
	puk.MaxLength = puk.capacity()
	return puk, nil
}

// joined encodes two PINs one after the other, as a command contains them.
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

// blockLength returns how many bytes a PIN takes in a command.
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
