package demo

import "smartkiosk/cmd/internal/demo/page"

// Cards are those that can be put in, in the order to show them.
func (d *Demo) Cards() []page.Card {
	return []page.Card{
		{Name: "valid", Title: "Valid", Description: "Nothing is wrong with it."},
		{Name: "expired", Title: "Expired", Description: "Its certificate ran out yesterday."},
		{Name: "revoked", Title: "Revoked", Description: "Its certificate is on the revocation list."},
		{Name: "blocked", Title: "PIN blocked", Description: "Three wrong PINs were typed before."},
		{Name: "foreign", Title: "Foreign issuer", Description: "Nobody here trusts who issued it."},
		{Name: "hsm", Title: "HSM policy", Description: "Its key is said to be kept in a data centre, not on a card."},
		{Name: "sign-only", Title: "Signature only", Description: "It has a certificate for signing, none for authentication."},
		{Name: "mute", Title: "Reversed", Description: "Put in the wrong way round: it does not answer."},
	}
}

// Insert puts a card in, in place of the one that is in.
func (d *Demo) Insert(name string) error { return d.slot.Insert(name) }

// Remove takes the card out.
func (d *Demo) Remove() { d.slot.Remove() }

// Inserted is the name of the card that is in, "" for none.
func (d *Demo) Inserted() string { return d.slot.Inserted() }
