package kiosk

import (
	"fmt"
	"io"
)

// MaxPINDigits is the longest PIN a person can type; ISO 7816-15 cards store
// 4 to 12.
const MaxPINDigits = 12

// PIN is what a person has typed so far. Its digits live in one buffer, which
// copies of a PIN share, so that there is one place to wipe; it never becomes
// a string and prints as [secret]. The zero PIN is empty.
type PIN struct {
	buffer *[MaxPINDigits]byte
	n      int
}

// Append gives the PIN with one more digit ('0' to '9'), or p itself when it
// is full. Of two PINs appended to the same p only one may be used.
func (p PIN) Append(digit byte) PIN {
	if p.n == MaxPINDigits {
		return p
	}
	if p.buffer == nil {
		p.buffer = new([MaxPINDigits]byte)
	}
	p.buffer[p.n] = digit
	p.n++
	return p
}

// Len is the number of digits.
func (p PIN) Len() int { return p.n }

// Use hands the digits, as ASCII, to f and wipes them when f returns, also
// when it panics. f must not keep them.
func (p PIN) Use(f func(digits []byte) error) error {
	defer p.Wipe()
	if p.buffer == nil {
		return f(nil)
	}
	return f(p.buffer[:p.n])
}

// Wipe overwrites the digits.
func (p PIN) Wipe() {
	if p.buffer != nil {
		clear(p.buffer[:])
	}
}

const secret = "[secret]"

// Format prints [secret], whatever the verb.
func (p PIN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret) }

// MarshalText gives [secret], so that no encoder shows the digits.
func (p PIN) MarshalText() ([]byte, error) { return []byte(secret), nil }
