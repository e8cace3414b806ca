package smartkort

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// Description is all that a card tells of itself without a PIN.
type Description struct {
	ATR          []byte
	Profile      *Profile // by which the driver speaks to it
	Found        string   // how its application was found
	Token        TokenInfo
	PINs         []PINState
	Keys         []Key
	Certificates []Certificate // those that belong to a key
	Authorities  []Certificate // the others
}

// PINState is a PIN and how it stands.
type PINState struct {
	PIN
	Tries    int // left
	Known    bool
	Inactive bool        // the holder must activate the card first
	Answer   apdu.Status // of the card, asked for the tries
}

// Describe reads the whole card, for a technician; a visit needs less.
func (c *Card) Describe(ctx context.Context) (Description, error) {
	d := Description{ATR: c.line.ATR(), Profile: c.profile, Found: c.app.How}
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
	// Nothing depends on these: a card that names some it has not is no worse.
	if d.Authorities, err = c.Authorities(ctx); err != nil && !isStatus(err) {
		return d, fmt.Errorf("cannot describe card: %w", err)
	}
	return d, nil
}
