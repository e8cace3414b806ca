package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// object is a JSON object read strictly: its names are told apart by case and
// occur once, which encoding/json does not see to when it fills a struct. Were
// it looser, two readers of one signed text could see two events.
type object struct {
	names  []string // in their order
	values map[string]json.RawMessage
}

func readObject(text []byte) (object, error) {
	o := object{values: map[string]json.RawMessage{}}
	if !utf8.Valid(text) {
		return o, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return o, errors.New("no JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return o, errors.New("malformed JSON")
		}
		name, ok := t.(string)
		if !ok {
			return o, errors.New("malformed JSON")
		}
		if _, twice := o.values[name]; twice {
			return o, fmt.Errorf("member %q occurs twice", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return o, errors.New("malformed JSON")
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	if _, err := d.Token(); err != nil {
		return o, errors.New("malformed JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return o, errors.New("more after the JSON object")
	}
	return o, nil
}

// read decodes one member, which must be there and of into's type.
func (o object) read(name string, into any) error {
	value, ok := o.values[name]
	if !ok {
		return fmt.Errorf("%s is missing", name)
	}
	// A string without escapes is what stands there; data is long.
	if text, ok := into.(*string); ok && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		*text = string(value[1 : len(value)-1])
		return nil
	}
	if bytes.Equal(value, []byte("null")) || json.Unmarshal(value, into) != nil {
		return fmt.Errorf("%s is of the wrong type", name)
	}
	return nil
}

// is tells whether a member is exactly this string.
func (o object) is(name, want string) bool {
	var got string
	return o.read(name, &got) == nil && got == want
}

// without gives the object's text without some members, in their order.
func (o object) without(names []string) json.RawMessage {
	omit := map[string]bool{}
	for _, n := range names {
		omit[n] = true
	}
	b := []byte{'{'}
	for _, n := range o.names {
		if omit[n] {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(n) // a string always can
		b = append(append(append(b, name...), ':'), o.values[n]...)
	}
	return append(b, '}')
}
