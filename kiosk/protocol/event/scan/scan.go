// Package scan takes JSON texts (RFC 8259) apart in place: what it gives is part of
// the text, as it stands there, and each text is read once. A backlog's events
// are long strings in small objects, over which it passes several times as fast as
// encoding/json, with which it agrees to the letter on what is JSON.
package scan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
)

// What is wrong with a text.
var (
	ErrNoObject  = errors.New("no JSON object")
	ErrNoArray   = errors.New("no JSON array")
	ErrMalformed = errors.New("malformed JSON")
	ErrMore      = errors.New("more after the JSON text")
)

// maxDepth is how deep arrays and objects may be in each other.
const maxDepth = 10_000

// Object reads an object, which must be all there is, and gives f each member as it
// comes, the name without its escapes. Names may occur again, and UTF-8 is not looked
// at. What f fails with ends it.
func Object(text []byte, f func(name string, value []byte) error) error {
	s := scanner{text: text}
	s.space()
	if s.at == len(text) || text[s.at] != '{' {
		return ErrNoObject
	}
	err := s.object(1, f)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrMalformed
	}
	if err != nil {
		return err
	}
	if s.space(); s.at < len(text) {
		return ErrMore
	}
	return nil
}

// scanner is a place in a text. Its methods move it past what they name, and fail
// with ErrMalformed, or with io.ErrUnexpectedEOF where the text ends within it.
type scanner struct {
	text []byte
	at   int
}

// space is RFC 8259 §2.
func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next gives the next byte without moving past it.
func (s *scanner) next() (byte, error) {
	if s.at == len(s.text) {
		return 0, io.ErrUnexpectedEOF
	}
	return s.text[s.at], nil
}

func (s *scanner) value(depth int) error {
	c, err := s.next()
	switch {
	case err != nil:
		return err
	case c == '"':
		_, err := s.string()
		return err
	case c == '{':
		return s.object(depth+1, nil)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return ErrMalformed
}

// object is RFC 8259 §4; f may be nil.
func (s *scanner) object(depth int, f func(name string, value []byte) error) error {
	return s.list(depth, '}', func() error {
		begin := s.at
		if c, err := s.next(); err != nil || c != '"' {
			return orMalformed(err)
		}
		plain, err := s.string()
		if err != nil {
			return err
		}
		end := s.at
		s.space()
		if c, err := s.next(); err != nil || c != ':' {
			return orMalformed(err)
		}
		s.at++
		s.space()
		from := s.at
		if err := s.value(depth); err != nil || f == nil {
			return err
		}
		name := string(s.text[begin+1 : end-1])
		if !plain {
			if err := json.Unmarshal(s.text[begin:end], &name); err != nil {
				return ErrMalformed
			}
		}
		return f(name, s.text[from:s.at:s.at])
	})
}

// array is RFC 8259 §5.
func (s *scanner) array(depth int) error {
	return s.list(depth, ']', func() error { return s.value(depth) })
}

// list is what objects and arrays have in common.
func (s *scanner) list(depth int, end byte, one func() error) error {
	if depth > maxDepth {
		return ErrMalformed
	}
	s.at++
	s.space()
	if c, err := s.next(); err != nil {
		return err
	} else if c == end {
		s.at++
		return nil
	}
	for {
		if err := one(); err != nil {
			return err
		}
		s.space()
		c, err := s.next()
		if err != nil || c != ',' && c != end {
			return orMalformed(err)
		}
		s.at++
		if c == end {
			return nil
		}
		s.space()
	}
}

func orMalformed(err error) error {
	if err != nil {
		return err
	}
	return ErrMalformed
}

// string is RFC 8259 §7, and tells whether it is plain: without escapes.
func (s *scanner) string() (plain bool, err error) {
	s.at++
	for plain = true; ; {
		rest := s.text[s.at:]
		n := bytes.IndexByte(rest, '"')
		ends := n >= 0
		if !ends {
			n = len(rest)
		}
		if escape := bytes.IndexByte(rest[:n], '\\'); escape >= 0 {
			n, ends, plain = escape, false, false
		}
		if controls(rest[:n]) {
			return false, ErrMalformed
		}
		s.at += n
		if ends {
			s.at++
			return plain, nil
		}
		if err := s.escape(); err != nil {
			return false, err
		}
	}
}

// escape is a backslash and what it stands before.
func (s *scanner) escape() error {
	s.at++
	c, err := s.nextOf("\"\\/bfnrtu")
	if err != nil || c != 'u' {
		return err
	}
	for range 4 {
		if _, err := s.nextOf("0123456789abcdefABCDEF"); err != nil {
			return err
		}
	}
	return nil
}

// nextOf moves past one of these bytes.
func (s *scanner) nextOf(these string) (byte, error) {
	if s.at >= len(s.text) {
		return 0, io.ErrUnexpectedEOF
	}
	c := s.text[s.at]
	if bytes.IndexByte([]byte(these), c) < 0 {
		return 0, ErrMalformed
	}
	s.at++
	return c, nil
}

// controls tells whether there is a control character, which no string has.
func controls(b []byte) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		// A byte under 0x20 borrows from its highest bit, if that was not set. The
		// lowest such byte is one for sure.
		if x := binary.LittleEndian.Uint64(b); (x-0x20*each)&^x&high != 0 {
			return true
		}
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// number is RFC 8259 §6.
func (s *scanner) number() error {
	if s.text[s.at] == '-' {
		s.at++
	}
	const digits = "0123456789"
	first, err := s.nextOf(digits)
	if err != nil {
		return err
	}
	if first != '0' {
		s.digits()
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if _, err := s.nextOf(digits); err != nil {
			return err
		}
		s.digits()
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if _, err := s.nextOf(digits); err != nil {
			return err
		}
		s.digits()
	}
	return nil
}

func (s *scanner) digits() {
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
}

func (s *scanner) word(w string) error {
	rest := s.text[s.at:]
	if len(rest) < len(w) && w[:len(rest)] == string(rest) {
		return io.ErrUnexpectedEOF
	}
	if !bytes.HasPrefix(rest, []byte(w)) {
		return ErrMalformed
	}
	s.at += len(w)
	return nil
}
