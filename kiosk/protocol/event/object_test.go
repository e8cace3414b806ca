package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestReadObject checks that two readers of one text always see the same object.
func TestReadObject(t *testing.T) {
	for text, want := range map[string]string{
		` {"b" : {"x":1,"y":2}, "a":"\u0041", "B":[1, 2]} `: `b={"x":1,"y":2};a="\u0041";B=[1, 2]`,
		`{}`:                    ``,
		`{"\u0061\n":1}`:        "a\n=1",
		`{"a":1,"a":2}`:         `member "a" occurs twice`,
		`{"a":1,"\u0061":2}`:    `member "a" occurs twice`,
		`{"a":[{"b":1,"b":2}]}`: `member "b" occurs twice`,
		"{\"a\":\"\xff\"}":      `malformed JSON or not UTF-8`,
		"{\"\xc3\x28\":1}":      `malformed JSON or not UTF-8`,
		`{"a":"\ud800"}`:        `malformed JSON or not UTF-8`,
		`["a"]`:                 `no JSON object`,
		``:                      `no JSON object`,
		`{"a":1`:                `malformed JSON or not UTF-8`,
		`{"a":1]`:               `malformed JSON or not UTF-8`,
		`{"a":01}`:              `malformed JSON or not UTF-8`,
		`{"a":1}{}`:             `more after the JSON object`,
		`{"a":1} x`:             `more after the JSON object`,
	} {
		o, err := readObject([]byte(text))
		var got []string
		for _, m := range o.members {
			got = append(got, string(m.name)+"="+string(m.value))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if s := strings.Join(got, ";"); s != want {
			t.Errorf("%s is read as %s, want %s", text, s, want)
		}
	}
	_, err := readObject([]byte(`{"` + strings.Repeat("x", 99) + `":1,"` + strings.Repeat("x", 99) + `":1}`))
	if err == nil || len(err.Error()) > 70 {
		t.Errorf("an error quotes a long name: %v", err)
	}
}

// TestObjectsShareText checks that values are not copied, and that an append to one value
// never changes the next one.
func TestObjectsShareText(t *testing.T) {
	text := []byte(`{"a":"b","c":1}`)
	o, err := readObject(text)
	if err != nil || len(o.members) != 2 {
		t.Fatal(o, err)
	}
	if v := o.members[0].value; &v[0] != &text[5] || cap(v) != 3 {
		t.Errorf("the value %s has a capacity of %d and may be no part of the text", v, cap(v))
	}
}

func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":{"a":2},"c":3}`: `1|{"a":2}`, `{"\u0061": "x" }`: `"x"|`, `{"b":[`: `|`, `{"a":1,"b":2,`: `1|2`,
		`[]`: `|`, ``: `|`, `{"A":1}`: `|`, `{"a":1,"a":2}`: `1|`,
	} {
		got := Members([]byte(text), "a", "b")
		if s := string(got[0]) + "|" + string(got[1]); s != want {
			t.Errorf("%s has %s, want %s", text, s, want)
		}
	}
}

// strictly reads an object with the tokens of encoding/json. It refuses every text that
// readObject must refuse.
func strictly(text []byte) (names []string, values []json.RawMessage, err error) {
	bad := errors.New("no strict object")
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(text) || surrogate(text) {
		return nil, nil, bad
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, nil, bad
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil || repeats(value) {
			return nil, nil, bad
		}
		for _, other := range names {
			if other == name {
				return nil, nil, bad
			}
		}
		names, values = append(names, name), append(values, value)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, bad
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, bad
	}
	return names, values, nil
}

// repeats reports whether a name occurs twice in an object of a JSON value.
func repeats(value json.RawMessage) bool {
	d := json.NewDecoder(bytes.NewReader(value))
	type level struct {
		names map[string]bool // nil in an array
		value bool            // a value comes next, not a name
	}
	var levels []level
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		top := len(levels) - 1
		switch text, isText := t.(string); {
		case t == json.Delim('}'), t == json.Delim(']'):
			levels = levels[:top]
			continue
		case top >= 0 && levels[top].names != nil && !levels[top].value && isText:
			if levels[top].names[text] {
				return true
			}
			levels[top].names[text], levels[top].value = true, true
			continue
		}
		if top >= 0 {
			levels[top].value = false
		}
		switch t {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		}
	}
}

// surrogate reports whether a text may contain half of a surrogate pair, which is not a
// character: encoding/json replaces it and jsontext refuses it.
func surrogate(text []byte) bool { return bytes.Contains(bytes.ToLower(text), []byte(`\ud`)) }

func sameObject(t *testing.T, text []byte) {
	t.Helper()
	// encoding/json has another limit for the depth of a text.
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000 || surrogate(text) {
		return
	}
	o, err := readObject(text)
	names, values, wantErr := strictly(text)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%.200q: error %v, encoding/json says %v", text, err, wantErr)
	}
	for i, m := range o.members {
		if err == nil && (len(names) != len(o.members) || string(m.name) != names[i] || !bytes.Equal(m.value, values[i])) {
			t.Errorf("%.200q: member %d is %q %q", text, i, m.name, m.value)
		}
	}
}

var objects = []string{
	`{}`, ` { } `, `{"a":1}`, "\t{\"a\" :\r\n[1, {\"b\":null}] , \"c\":\"\\\"}\" }\n", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":{}}`,
	`{"a":{"b":1,"b":2}}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1}}`, `{"a":1} x`, `{"a":01}`, `{"a":-}`, `{"a":1e400}`,
	`{"a":tru}`, `{"a":"\x"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", "{\"\xff\":1}", "\ufeff{}", `{'a':1}`,
	`[]`, `null`, `"{}"`, ``, `{`, `{"a":1`, `{"A":1,"a":2}`, "{\"a\":\"\u2028\"}", `{1:2}`, `{"a":[}`, `{"a":1}/**/`, "{\"a\":1}\x00", "{\"a\":1}\v",
}

func TestObjectsAsEncodingJSON(t *testing.T) {
	for _, text := range objects {
		sameObject(t, []byte(text))
	}
	if _, err := readObject([]byte(`{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`)); err == nil {
		t.Error("20,000 levels are read")
	}
	for length := range 40 {
		for at := range length {
			for _, c := range []string{"\x00", "\x1f", " ", "\x7f", "\x80", "\xff", "\\", "\\n", "\\u12", "\\u12aF", "\\x", "\""} {
				letters := strings.Repeat("e", length)
				sameObject(t, []byte(`{"a":"`+letters[:at]+c+letters[at:]+`"}`))
			}
		}
	}
}

func FuzzObject(f *testing.F) {
	for _, text := range objects {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameObject(t, text) })
}
