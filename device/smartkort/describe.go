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
}

// PINState is a PIN and its state.
type PINState struct {
	PIN
	Tries    int         // tries left, if Known
	Known    bool        // the card tells the tries left
	Inactive bool        // the holder must activate the card first
	Answer   apdu.Status // the card's response to the question for the tries left
}

// Describe reads the whole card, for a technician. A visit reads less.
func (c *Card) Describe(ctx context.Context) (Description, error) {
	d := Description{ATR: c.channel.ATR(), Profile: c.profile, Found: c.app.How}
	d.Token = c.token
	pins, err := c.PINs(ctx)
	if err != nil {
		return d, fmt.Errorf("cannot describe card: %w", err)
	}
	for _, p := range pins {
		sw, err := c.askTries(ctx, p)
		if err != nil {
			return d, fmt.Errorf("cannot describe card: cannot ask for PIN tries: %w", err)
		}
		tries, known, err := c.triesOf(sw)
		d.PINs = append(d.PINs, PINState{PIN: p, Tries: tries, Known: known, Inactive: errors.Is(err, ErrInactive), Answer: sw})
	}
	if d.Keys, err = c.privateKeys(ctx); err != nil {
		return d, fmt.Errorf("cannot describe card: %w", err)
	}
	if d.Certificates, err = c.Certificates(ctx); err != nil {
		return d, fmt.Errorf("cannot describe card: %w", err)
	}
	// The kiosk does not need these, so missing files do not matter.
	if d.Authorities, err = c.Authorities(ctx); err != nil && !isStatus(err) {
		return d, fmt.Errorf("cannot describe card: %w", err)
	}
	return d, nil
}
