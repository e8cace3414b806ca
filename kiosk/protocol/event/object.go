package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"smartkiosk/kiosk/protocol/event/scan"
)

// object is a JSON object read strictly: its names are told apart by case and
// occur once, which encoding/json does not see to when it fills a struct. Were
// it looser, two readers of one signed text could see two events.
type object struct {
	names  []string          // in their order
	values map[string][]byte // as they stand in the text
}

// usualMembers is how many members an event has, or a few more.
const usualMembers = 20

// readObject takes a text apart in one pass. What it gives is part of the text.
func readObject(text []byte) (object, error) {
	o := object{names: make([]string, 0, usualMembers), values: make(map[string][]byte, usualMembers)}
	if !utf8.Valid(text) {
		return o, errors.New("not UTF-8")
	}
	err := scan.Object(text, func(name string, value []byte) error {
		if _, twice := o.values[name]; twice {
			return fmt.Errorf("member %q occurs twice", name)
		}
		o.names = append(o.names, name)
		o.values[name] = value
		return nil
	})
	return o, err
}

// read decodes one member, which must be there and of into's type.
func (o object) read(name string, into any) error {
	if text, ok := into.(*string); ok {
		b, err := o.text(name)
		*text = string(b)
		return err
	}
	return o.decode(name, into)
}

// text gives a member that must be a string; it may be part of the object's text.
func (o object) text(name string) ([]byte, error) {
	// One without escapes is what stands there.
	if value := o.values[name]; len(value) > 0 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	var text string
	err := o.decode(name, &text)
	return []byte(text), err
}

func (o object) decode(name string, into any) error {
	value, ok := o.values[name]
	if !ok {
		return fmt.Errorf("%s is missing", name)
	}
	if bytes.Equal(value, []byte("null")) || json.Unmarshal(value, into) != nil {
		return fmt.Errorf("%s is of the wrong type", name)
	}
	return nil
}

// is tells whether a member is exactly this string.
func (o object) is(name, want string) bool {
	got, err := o.text(name)
	return err == nil && string(got) == want
}

// only tells whether there are no members but these.
func (o object) only(names ...string) bool {
	return !slices.ContainsFunc(o.names, func(name string) bool { return !slices.Contains(names, name) })
}

// without gives the object's text without some members, in their order.
func (o object) without(names []string) json.RawMessage {
	size := len("{}")
	for name, value := range o.values {
		size += len(name) + len(value) + len(`"":,`)
	}
	b := append(make([]byte, 0, size), '{')
	for _, n := range o.names {
		if slices.Contains(names, n) {
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
