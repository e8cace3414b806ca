package kiosk

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// MaxPINDigits is the capacity of a PIN in digits. The card's own limits (PINStatus)
// are lower: cards store 4 to 16 digits.
const MaxPINDigits = 32

// PIN is what a person has typed so far. Copies of a PIN share one buffer, so
// that there is one place to wipe. A PIN never becomes a string and prints as
// [secret]. The zero PIN is empty.
type PIN struct {
	buffer *[MaxPINDigits]byte
	n      int
}

// Append returns the PIN with one more digit ('0' to '9'), or p itself if it is full.
// The result shares p's buffer: of two PINs appended to the same p, only one may be
// used.
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

// RemoveLast returns the PIN without its last digit, which it overwrites. An
// empty PIN stays empty.
func (p PIN) RemoveLast() PIN {
	if p.n <= 1 {
		p.Wipe()
		return PIN{}
	}
	p.n--
	p.buffer[p.n] = 0
	return p
}

// Len returns the number of digits.
func (p PIN) Len() int { return p.n }

// Equal reports whether q has the same digits, in a time that does not depend on them.
func (p PIN) Equal(q PIN) bool {
	if p.n != q.n || p.n == 0 {
		return p.n == q.n
	}
	return subtle.ConstantTimeCompare(p.buffer[:p.n], q.buffer[:q.n]) == 1
}

// Use calls f with the digits, as ASCII, and wipes them when f returns or
// panics. f must not keep them.
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

// Format prints [secret] for every verb.
func (p PIN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret) }

// MarshalText returns [secret], so that no encoder shows the digits.
func (p PIN) MarshalText() ([]byte, error) { return []byte(secret), nil }
