package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object (RFC 8259) that was read strictly: its text is UTF-8,
// and no name occurs twice in it or in an object within it. Otherwise two
// readers of one signed text could see two events.
type object struct{ members []member }

// member is one member of an object. Both parts are part of the object's text.
type member struct {
	name  []byte // without quotation marks and escapes
	value []byte // as it stands in the text
}

// usualMembers is the number of members of a usual event, rounded up.
const usualMembers = 20

var (
	errNoObject = errors.New("no JSON object")
	errJSON     = errors.New("malformed JSON or not UTF-8")
	errMore     = errors.New("more after the JSON object")
)

// readObject reads a text in one pass.
func readObject(text []byte) (object, error) {
	o := object{make([]member, 0, usualMembers)}
	err := eachMember(text, func(name, value []byte) { o.members = append(o.members, member{name, value}) })
	return o, err
}

// decoders keeps decoders, because a new one costs more than a small object.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// nothing is an empty text, which an idle decoder reads so that it does not keep an event.
var nothing = bytes.NewReader(nil)

// eachMember calls f with each member of an object. It returns an error if the text is not
// an object, and may have called f before that.
func eachMember(text []byte, f func(name, value []byte)) error {
	d := decoders.Get().(*jsontext.Decoder)
	defer func() {
		d.Reset(nothing)
		decoders.Put(d)
	}()
	d.Reset(bytes.NewBuffer(text)) // the decoder reads the buffer in place and does not change it
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != jsontext.BeginObject.Kind() {
		return errNoObject
	}
	for d.PeekKind() != jsontext.EndObject.Kind() {
		name, err := d.ReadValue()
		if err != nil {
			return explain(err)
		}
		if bytes.IndexByte(name, '\\') < 0 {
			name = name[1 : len(name)-1]
		} else if name, err = jsontext.AppendUnquote(nil, name); err != nil {
			return explain(err)
		}
		value, err := d.ReadValue()
		if err != nil {
			return explain(err)
		}
		f(name, slices.Clip(value))
	}
	_, _ = d.ReadToken() // the end, which PeekKind has seen
	if _, err := d.ReadToken(); err != io.EOF {
		return errMore
	}
	return nil
}

// explain returns an error that quotes at most a name from the text.
func explain(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		if where, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return fmt.Errorf("member %.40q occurs twice", where.JSONPointer.LastToken())
		}
	}
	return errJSON
}

// Members returns the values of some members of a JSON object, as they stand in its text.
// The value of a missing member is nil. If the text is not an object, Members returns the
// values that it found before the fault.
func Members(text []byte, names ...string) [][]byte {
	values := make([][]byte, len(names))
	_ = eachMember(text, func(name, value []byte) {
		if i := slices.Index(names, string(name)); i >= 0 {
			values[i] = value
		}
	})
	return values
}

// get returns the value of a member, nil if it is missing.
func (o object) get(name string) []byte {
	for _, m := range o.members {
		if string(m.name) == name {
			return m.value
		}
	}
	return nil
}

// read decodes one member. It fails if the member is missing or not of into's type.
func (o object) read(name string, into any) error {
	if text, ok := into.(*string); ok {
		b, err := o.text(name)
		*text = string(b)
		return err
	}
	return o.decode(name, into)
}

// text returns a member that must be a string. It may be part of the object's text.
func (o object) text(name string) ([]byte, error) {
	// A string without escapes needs no decoding.
	if value := o.get(name); len(value) > 0 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	var text string
	err := o.decode(name, &text)
	return []byte(text), err
}

func (o object) decode(name string, into any) error {
	value := o.get(name)
	if value == nil {
		return fmt.Errorf("%s is missing", name)
	}
	if bytes.Equal(value, []byte("null")) || json.Unmarshal(value, into) != nil {
		return fmt.Errorf("%s is of the wrong type", name)
	}
	return nil
}

// is reports whether a member is exactly this string.
func (o object) is(name, want string) bool {
	got, err := o.text(name)
	return err == nil && string(got) == want
}

// only reports whether the object has no members other than these.
func (o object) only(names ...string) bool {
	return !slices.ContainsFunc(o.members, func(m member) bool { return !slices.Contains(names, string(m.name)) })
}

// without returns the object's text without some members, in their order.
func (o object) without(names []string) json.RawMessage {
	size := len("{}")
	for _, m := range o.members {
		size += len(m.name) + len(m.value) + len(`"":,`)
	}
	b := append(make([]byte, 0, size), '{')
	for _, m := range o.members {
		if slices.Contains(names, string(m.name)) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, m.name) // the name was read as UTF-8, so it can be quoted
		b = append(append(b, ':'), m.value...)
	}
	return append(b, '}')
}
