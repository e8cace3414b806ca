package smartkort

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// Description is everything that can be read from a card without a PIN.
type Description struct {
	ATR          []byte
	Profile      *Profile // the profile that the driver uses
	Found        string   // how the application was found
	Token        TokenInfo
	PINs         []PINState
	Keys         []Key
	Certificates []Certificate // certificates that belong to a key
	Authorities  []Certificate // all other certificates
	Problems     []error       // parts of the card's description that were skipped
}

// PINState is a PIN and its state.
type PINState struct {
	PIN
	Tries    int         // tries left, if Known
	Known    bool        // the card tells the tries left
	Inactive bool        // the holder must activate the card first
	Unset    bool        // the card needs no PIN, for example because none is set
	Answer   apdu.Status // the card's response to the question for the tries left

	CanChange, CanUnblock error // why the driver cannot do it, nil when it can
}

// Describe reads the whole card, for a technician. A visit reads less. Parts
// that cannot be read are listed in Problems; the error is one of transport.
func (c *Card) Describe(ctx context.Context) (d Description, err error) {
	d = Description{ATR: c.channel.ATR(), Profile: c.profile, Found: c.app.How, Token: c.token}
	note := func(what string, err error) error {
		if err != nil && !skippable(err) {
			return fmt.Errorf("cannot describe card: %w", err)
		}
		if err != nil {
			c.note(what, err)
		}
		return nil
	}
	pins, err := c.PINs(ctx)
	if err := note("PINs", err); err != nil {
		return d, err
	}
	for _, p := range pins {
		state := PINState{PIN: p}
		sw, err := c.askTries(ctx, p)
		if err := note(fmt.Sprintf("PIN %q", p.Label), err); err != nil {
			return d, err
		}
		if err == nil {
			tries, known, err := c.triesOf(sw)
			state.Tries, state.Known, state.Inactive, state.Answer = tries, known, errors.Is(err, ErrInactive), sw
			_, verified := c.uses[string(p.ID)]
			state.Unset = sw == apdu.OK && !verified
		}
		state.CanChange = c.CanChange(p)
		if !p.Unblocking {
			state.CanUnblock = c.CanUnblock(ctx, p)
		}
		d.PINs = append(d.PINs, state)
	}
	d.Keys, err = c.privateKeys(ctx)
	if err := note("keys", err); err != nil {
		return d, err
	}
	d.Certificates, err = c.Certificates(ctx)
	if err := note("certificates", err); err != nil {
		return d, err
	}
	d.Authorities, err = c.Authorities(ctx)
	if err := note("authorities", err); err != nil {
		return d, err
	}
	d.Problems = c.problems
	return d, nil
}
