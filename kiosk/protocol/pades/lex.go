package pades

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// The lexical rules of ISO 32000-1 §7.2 and §7.3, as far as an incremental update needs them:
// a value stays as the bytes that it is written with.

var errSyntax = errors.New("its syntax is wrong")

// maxDepth is the maximum depth of arrays and dictionaries in each other.
const maxDepth = 64

func isSpace(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

// skipSpace returns b without white space and comments at its beginning.
func skipSpace(b []byte) []byte {
	for len(b) > 0 {
		switch {
		case isSpace(b[0]):
			b = b[1:]
		case b[0] == '%':
			end := bytes.IndexAny(b, "\r\n")
			if end < 0 {
				return nil
			}
			b = b[end:]
		default:
			return b
		}
	}
	return b
}

// regular returns the length of the regular characters at the beginning of b.
func regular(b []byte) int {
	n := 0
	for n < len(b) && !isSpace(b[n]) && !isDelimiter(b[n]) {
		n++
	}
	return n
}

// value splits b, without white space at its beginning, into its first value and the rest. A
// reference ("12 0 R") is one value.
func value(b []byte, depth int) (v, rest []byte, err error) {
	b = skipSpace(b)
	if len(b) == 0 || depth > maxDepth {
		return nil, nil, errSyntax
	}
	n := 0
	switch {
	case bytes.HasPrefix(b, []byte("<<")), b[0] == '[':
		n, err = compound(b, depth)
	case b[0] == '<':
		if n = bytes.IndexByte(b, '>') + 1; n == 0 {
			err = errSyntax
		}
	case b[0] == '(':
		n, err = literal(b)
	case b[0] == '/':
		n = 1 + regular(b[1:])
	default:
		if n = regular(b); n == 0 {
			return nil, nil, errSyntax
		}
		if ref := reference(b); ref > 0 {
			n = ref
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return b[:n], b[n:], nil
}

// compound returns the length of an array or a dictionary.
func compound(b []byte, depth int) (int, error) {
	end := []byte("]")
	rest := b[1:]
	if b[0] == '<' {
		end, rest = []byte(">>"), b[2:]
	}
	for {
		rest = skipSpace(rest)
		if bytes.HasPrefix(rest, end) {
			return len(b) - len(rest) + len(end), nil
		}
		var err error
		if _, rest, err = value(rest, depth+1); err != nil {
			return 0, err
		}
	}
}

// literal returns the length of a string in parentheses.
func literal(b []byte) (int, error) {
	open := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, errSyntax
}

// reference returns the length of a reference, or 0.
func reference(b []byte) int {
	rest := b
	for range 2 {
		n := regular(rest)
		if n == 0 || !digits(rest[:n]) {
			return 0
		}
		spaced := skipSpace(rest[n:])
		if len(spaced) == len(rest)-n {
			return 0
		}
		rest = spaced
	}
	if regular(rest) == 1 && rest[0] == 'R' {
		return len(b) - len(rest) + 1
	}
	return 0
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// number reads a natural number.
func number(b []byte) (int, error) {
	if !digits(b) || len(b) > 12 {
		return 0, fmt.Errorf("%w: %.20q is not a natural number", errSyntax, b)
	}
	return strconv.Atoi(string(b))
}

// dict is a dictionary: its members as they are written.
type dict map[string][]byte

// readDict reads a dictionary. A name must be plain: "#" sequences are not decoded.
func readDict(b []byte) (dict, error) {
	b = skipSpace(b)
	if !bytes.HasPrefix(b, []byte("<<")) {
		return nil, fmt.Errorf("%w: a dictionary is missing", errSyntax)
	}
	d := dict{}
	for rest := b[2:]; ; {
		rest = skipSpace(rest)
		if bytes.HasPrefix(rest, []byte(">>")) {
			return d, nil
		}
		name, after, err := value(rest, 0)
		if err != nil {
			return nil, err
		}
		if name[0] != '/' {
			return nil, fmt.Errorf("%w: %.20q is not a name", errSyntax, name)
		}
		v, after, err := value(after, 0)
		if err != nil {
			return nil, err
		}
		if _, twice := d[string(name[1:])]; twice {
			return nil, fmt.Errorf("%w: a dictionary has %.20q twice", errSyntax, name)
		}
		d[string(name[1:])], rest = v, after
	}
}

// with returns the text of a dictionary in which some members are replaced or added.
func with(text []byte, members ...string) ([]byte, error) {
	v, _, err := value(text, 0)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("<<")
	replaced := map[string]bool{}
	for i := 0; i < len(members); i += 2 {
		replaced[members[i]] = true
	}
	for rest := v[2 : len(v)-2]; len(skipSpace(rest)) > 0; {
		name, after, err := value(rest, 0)
		if err != nil {
			return nil, err
		}
		member, after, err := value(after, 0)
		if err != nil {
			return nil, err
		}
		if !replaced[string(name[1:])] {
			fmt.Fprintf(out, "%s %s\n", name, member)
		}
		rest = after
	}
	for i := 0; i < len(members); i += 2 {
		fmt.Fprintf(out, "/%s %s\n", members[i], members[i+1])
	}
	out.WriteString(">>")
	return out.Bytes(), nil
}

// elements splits an array.
func elements(b []byte) (all [][]byte, err error) {
	b = skipSpace(b)
	if len(b) < 2 || b[0] != '[' {
		return nil, fmt.Errorf("%w: an array is missing", errSyntax)
	}
	for rest := b[1:]; ; {
		rest = skipSpace(rest)
		if len(rest) > 0 && rest[0] == ']' {
			return all, nil
		}
		var v []byte
		if v, rest, err = value(rest, 0); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}
