package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// A backlog's JSON is taken apart in one pass: encoding/json reads each text twice,
// and is slower each time. Names within events, and UTF-8, are looked at when the
// events are opened.
var loosely = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// eachOfArray reads a JSON array, which must be all there is, and gives each of
// its values to f.
func eachOfArray(text io.Reader, f func(json.RawMessage) error) error {
	d := jsontext.NewDecoder(text, loosely...)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return errors.Join(errors.New("no JSON array"), err)
	}
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := f(bytes.Clone(value)); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return errors.Join(errors.New("more after the JSON array"), err)
	}
	return nil
}

// members gives the values of these members of a JSON object, nil for one that is
// not there, which are part of its text. What is not an object has none.
func members(text []byte, names ...string) [][]byte {
	values := make([][]byte, len(names))
	d := jsontext.NewDecoder(bytes.NewBuffer(text), loosely...)
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
