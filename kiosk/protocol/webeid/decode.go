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

// decode is stricter than encoding/json: it compares names exactly and refuses
// duplicate names, trailing text and members of another type than string. After
// json.Valid it reads the members itself, in a third of the time of a json.Decoder,
// because a person waits for the verdict on the token.
func decode(token []byte) (w wire, err error) {
	if !json.Valid(token) {
		return wire{}, errors.New("it is no JSON object, or something follows it")
	}
	m := members{rest: token}
	if !m.skip('{') {
		return wire{}, errors.New("it is no JSON object")
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
			return wire{}, fmt.Errorf("member %.40q stands twice", name)
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

// maxMembers bounds the members of a token, those that later versions add
// among them, and so the work of looking for one that stands twice.
const maxMembers = 64

// member gives where a member goes, nil for one that is not known.
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

// members goes through what is known to be valid JSON.
type members struct{ rest []byte }

// space passes over the white space of JSON (RFC 8259 §2).
func (m *members) space() {
	for len(m.rest) > 0 && strings.IndexByte(" \t\r\n", m.rest[0]) >= 0 {
		m.rest = m.rest[1:]
	}
}

// skip passes over one character, if it is the next.
func (m *members) skip(c byte) bool {
	m.space()
	if m.rest[0] != c {
		return false
	}
	m.rest = m.rest[1:]
	return true
}

// more tells whether a member follows, and goes to it.
func (m *members) more() bool {
	m.skip(',')
	return !m.skip('}')
}

// value takes the next value, whole as it stands.
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
			// A number or a word ends before what ends it.
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

// quoted gives the length of the JSON string that b begins with.
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

// text reads a JSON string. One without escapes stands for itself.
func text(value []byte) (string, error) {
	plain := value[1 : len(value)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain), nil
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err
}
