package webeid

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// decode reads a token. It is stricter than encoding/json: it compares names
// exactly, no member may occur twice, no data may follow the object, and the
// five members of wire must be strings.
//
// It uses json.Valid to check the syntax and then reads the members itself.
// This takes a third of the time of a json.Decoder, which matters because a
// person waits while a token is validated.
func decode(token []byte) (w wire, err error) {
	if !json.Valid(token) {
		return wire{}, errors.New("it is not a JSON object, or something follows it")
	}
	m := members{rest: token}
	if !m.skip('{') {
		return wire{}, errors.New("it is not a JSON object")
	}
	var room [8]string
	seen := room[:0]
	for m.more() {
		name, err := text(m.value())
		if err != nil {
			return wire{}, err
		}
		m.skip(':')
		value := m.value()
		if slices.Contains(seen, name) {
			return wire{}, fmt.Errorf("member %.40q occurs twice", name)
		}
		if seen = append(seen, name); len(seen) > maxMembers {
			return wire{}, fmt.Errorf("it has more than %d members", maxMembers)
		}
		member := w.member(name)
		if member == nil {
			continue
		}
		if value[0] != '"' {
			return wire{}, fmt.Errorf("member %q is no string", name)
		}
		if *member, err = text(value); err != nil {
			return wire{}, err
		}
	}
	return w, nil
}

// maxMembers is the maximum number of members in a token, including members of
// later versions of the format. It limits the work to find a duplicate.
const maxMembers = 64

// member returns the field for a member, or nil if the member is unknown.
func (w *wire) member(name string) *string {
	switch name {
	case "unverifiedCertificate":
		return &w.Certificate
	case "algorithm":
		return (*string)(&w.Algorithm)
	case "signature":
		return &w.Signature
	case "format":
		return &w.Format
	case "appVersion":
		return &w.AppVersion
	}
	return nil
}

// members reads the members of an object from text that is valid JSON.
type members struct{ rest []byte }

// space skips the white space of JSON (RFC 8259 §2).
func (m *members) space() {
	for len(m.rest) > 0 && strings.IndexByte(" \t\r\n", m.rest[0]) >= 0 {
		m.rest = m.rest[1:]
	}
}

// skip skips white space and then the character c. It returns false if another
// character follows.
func (m *members) skip(c byte) bool {
	m.space()
	if m.rest[0] != c {
		return false
	}
	m.rest = m.rest[1:]
	return true
}

// more advances to the next member. It returns false at the end of the object.
func (m *members) more() bool {
	m.skip(',')
	return !m.skip('}')
}

// value consumes the next value and returns its text unchanged.
func (m *members) value() []byte {
	m.space()
	depth := 0
	for i := 0; ; i++ {
		switch m.rest[i] {
		case '"':
			i += quoted(m.rest[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			// A number or a literal ends before the first character that cannot belong to it.
			if depth > 0 || strings.IndexByte(",}] \t\r\n", m.rest[i+1]) < 0 {
				continue
			}
		}
		if depth == 0 {
			value := m.rest[:i+1]
			m.rest = m.rest[i+1:]
			return value
		}
	}
}

// quoted returns the length of the JSON string at the start of b, with its
// quotation marks.
func quoted(b []byte) int {
	for n := 1; ; n++ {
		n += bytes.IndexByte(b[n:], '"')
		escapes := 0
		for b[n-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return n + 1
		}
	}
}

// text decodes a JSON string. A string without escapes is copied as it is.
func text(value []byte) (string, error) {
	plain := value[1 : len(value)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain), nil
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err
}
