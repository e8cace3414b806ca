package demo

import "smartkiosk/cmd/internal/demo/page"

// Cards lists the cards in the order in which the page shows them.
func (d *Demo) Cards() []page.Card {
	return []page.Card{
		{Name: "valid", Title: "Valid", Description: "Nothing is wrong with it."},
		{Name: "expired", Title: "Expired", Description: "Its certificate ran out yesterday."},
		{Name: "revoked", Title: "Revoked", Description: "Its certificate is on the revocation list."},
		{Name: "blocked", Title: "PIN blocked", Description: "Three wrong PINs were typed before."},
		{Name: "foreign", Title: "Foreign issuer", Description: "Its issuer is not trusted here."},
		{Name: "hsm", Title: "HSM policy", Description: "Its key is said to be kept in a data centre, not on a card."},
		{Name: "sign-only", Title: "Signature only", Description: "It has a certificate for signing, none for authentication."},
		{Name: "mute", Title: "Reversed", Description: "Put in the wrong way round: it does not answer."},
	}
}

// Insert inserts a card and removes the one that was in before.
func (d *Demo) Insert(name string) error { return d.slot.Insert(name) }

// Remove removes the card.
func (d *Demo) Remove() { d.slot.Remove() }

// Inserted returns the name of the inserted card, or "".
func (d *Demo) Inserted() string { return d.slot.Inserted() }
