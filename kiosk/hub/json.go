package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// A backlog's JSON is taken apart in one pass, and what is taken out of it stays
// part of its text: encoding/json reads each text twice, and is slower each time.

// newDecoder reads a text whose names, and whose UTF-8, are another's to check.
func newDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// splitArray gives the values of a JSON array.
func splitArray(text []byte) (values []json.RawMessage, err error) {
	d := newDecoder(text)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return nil, errors.New("no JSON array")
	}
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		end := d.InputOffset()
		values = append(values, text[end-int64(len(value)):end])
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errors.New("more after the JSON array")
	}
	return values, nil
}

// members gives the values of these members of a JSON object, nil for one that is
// not there. What is not an object has none.
func members(text []byte, names ...string) [][]byte {
	values := make([][]byte, len(names))
	d := newDecoder(text)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return values
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return values
		}
		wanted := -1
		for i, n := range names {
			if name.String() == n {
				wanted = i
			}
		}
		value, err := d.ReadValue()
		if err != nil {
			return values
		}
		if end := d.InputOffset(); wanted >= 0 {
			values[wanted] = text[end-int64(len(value)) : end]
		}
	}
	return values
}
