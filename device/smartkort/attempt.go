package smartkort

import "fmt"

// Attempt is a signing recipe that the card refused, or that gave a wrong
// signature.
type Attempt struct {
	Recipe string // in words
	Err    error
}

// Attempts returns the signing recipes that failed in this visit.
func (c *Card) Attempts() []Attempt { return c.attempts }

// Recipe describes the recipe that made the last valid signature, "" for none.
func (c *Card) Recipe() string { return c.worked }

// trace records a failed attempt.
func (c *Card) trace(s scheme, r recipe, err error) {
	c.tried++
	if len(c.attempts) < maxObjects {
		c.attempts = append(c.attempts, Attempt{s.name + ": " + r.String(), err})
	}
}

// String describes the recipe for a technician.
func (r recipe) String() string {
	text := r.Form
	if r.Algorithm >= 0 {
		text += fmt.Sprintf(", algorithm %02X", r.Algorithm)
	}
	if r.KeyBy != byReference {
		text += ", key by " + r.KeyBy
	}
	if r.Class != 0 {
		text += fmt.Sprintf(", class %02X", r.Class)
	}
	return text
}
