package est

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"

	"smartkiosk/kiosk/protocol/hubapi"
)

// alphabet holds the letters of codes. It has no two that look alike on paper or sound
// alike on the telephone in the way of 0 and O, 1 and I and L, 2 and Z, 5 and S, 8 and B,
// or U and V.
const alphabet = "34679ACDEFGHJKMNPQRTWXY"

// Parts of a code, in letters.
const (
	secretLetters = 8  // 36 bits: a guess among five succeeds once in 15 thousand million
	pinLetters    = 18 // 81 bits of the fingerprint of the hub's CA
	checkLetters  = 2  // finds 528 of 529 typing errors before the hub counts an attempt
	letters       = secretLetters + pinLetters + checkLetters
	groupLetters  = 4
)

// Secret is the part of a code that the hub must not reveal. It prints as [secret].
type Secret []byte

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText implements encoding.TextMarshaler, so that JSON does not show the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Wipe overwrites the secret.
func (s Secret) Wipe() { clear(s) }

// Code lets one kiosk enrol once. A technician gets it from the operator and types it at
// the kiosk.
//
// Its text is the kiosk's name, a colon, and 28 letters in groups of four: 8 of a secret, 18
// that pin the hub's CA, and 2 that find typing errors.
type Code struct {
	Kiosk  string
	Secret Secret
	pin    string
}

// NewCode makes a code for a kiosk of the hub with this CA. random must be a source of
// secure random bytes.
func NewCode(kiosk string, ca *x509.Certificate, random io.Reader) (Code, error) {
	c := Code{Kiosk: kiosk, Secret: make(Secret, 0, secretLetters), pin: pinOf(ca)}
	const fair = 256 - 256%len(alphabet) // bytes from here on would prefer the first letters
	one := make([]byte, 1)
	for len(c.Secret) < secretLetters {
		if _, err := io.ReadFull(random, one); err != nil {
			return Code{}, fmt.Errorf("cannot make a code: %w", err)
		}
		if int(one[0]) < fair {
			c.Secret = append(c.Secret, alphabet[int(one[0])%len(alphabet)])
		}
	}
	return c, nil
}

// Text returns the code for the technician. It contains the secret.
func (c Code) Text() string {
	text := c.Kiosk + ":"
	all := string(c.Secret) + c.pin + c.check()
	for i := 0; i < len(all); i += groupLetters {
		if i > 0 {
			text += "-"
		}
		text += all[i : i+groupLetters]
	}
	return text
}

// ParseCode reads a code as a person types it: in upper or lower case, with or without
// spaces and hyphens. The error says what is wrong without quoting the code.
func ParseCode(text string) (Code, error) {
	kiosk, rest, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok {
		return Code{}, errors.New("cannot read the code: it has no colon after the kiosk's name")
	}
	if kiosk = strings.ToLower(kiosk); !hubapi.ValidName(kiosk) {
		return Code{}, errors.New("cannot read the code: what is before the colon is not a kiosk's name")
	}
	typed := make([]byte, 0, letters)
	for _, r := range strings.ToUpper(rest) {
		switch {
		case r == '-' || r == ' ':
		case !strings.ContainsRune(alphabet, r):
			return Code{}, fmt.Errorf("cannot read the code: %q is not a letter of codes, which are %s", r, alphabet)
		case len(typed) == letters:
			return Code{}, fmt.Errorf("cannot read the code: it has more than %d letters after the colon", letters)
		default:
			typed = append(typed, byte(r))
		}
	}
	if len(typed) < letters {
		return Code{}, fmt.Errorf("cannot read the code: it has %d letters after the colon, not %d", len(typed), letters)
	}
	c := Code{kiosk, Secret(typed[:secretLetters]), string(typed[secretLetters : secretLetters+pinLetters])}
	if c.check() != string(typed[secretLetters+pinLetters:]) {
		return Code{}, errors.New("cannot read the code: it was mistyped")
	}
	return c, nil
}

// Pins reports whether the code was made by the hub with this CA.
func (c Code) Pins(ca *x509.Certificate) bool {
	return subtle.ConstantTimeCompare([]byte(c.pin), []byte(pinOf(ca))) == 1
}

// pinOf returns the letters that pin a CA: its SHA-256 fingerprint modulo 23^18.
func pinOf(ca *x509.Certificate) string {
	sum := sha256.Sum256(ca.Raw)
	return digits(sum, pinLetters)
}

// check returns the letters that find typing errors, which cover the kiosk's name too.
func (c Code) check() string {
	sum := sha256.New()
	_, _ = io.WriteString(sum, "smartkiosk code "+c.Kiosk+":")
	_, _ = sum.Write(c.Secret)
	_, _ = io.WriteString(sum, c.pin)
	return digits([sha256.Size]byte(sum.Sum(nil)), checkLetters)
}

// digits writes the end of a number in the alphabet, the most significant letter first.
func digits(sum [sha256.Size]byte, n int) string {
	rest, base, digit := new(big.Int).SetBytes(sum[:]), big.NewInt(int64(len(alphabet))), new(big.Int)
	text := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		rest.DivMod(rest, base, digit)
		text[i] = alphabet[digit.Int64()]
	}
	return string(text)
}
