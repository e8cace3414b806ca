package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// readSlowly is Object by encoding/json's tokens, each text read twice and more.
func readSlowly(text []byte) (names []string, values []json.RawMessage, err error) {
	bad := errors.New("no object")
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, bad
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, nil, bad
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, bad
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

// deep tells whether a text may be nested so deeply that encoding/json gives up at
// another level, as it reads it.
func deep(text []byte) bool {
	return bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000
}

func same(a []byte, b json.RawMessage) bool { return bytes.Equal(a, b) }

// sameObject fails unless Object makes of a text what encoding/json does.
func sameObject(t *testing.T, text []byte) {
	t.Helper()
	var names []string
	var values [][]byte
	err := Object(text, func(name string, value []byte) error {
		names, values = append(names, name), append(values, value)
		return nil
	})
	wantNames, wantValues, slowly := readSlowly(text)
	if slowly == nil && !json.Valid(text) {
		t.Fatalf("%.200q is an object but no JSON", text)
	}
	if deep(text) {
		return
	}
	if !utf8.Valid(text) {
		names, wantNames = nil, nil // encoding/json mends them
	}
	if (err == nil) != (slowly == nil) || err == nil && (!slices.Equal(names, wantNames) || !slices.EqualFunc(values, wantValues, same)) {
		t.Errorf("%.200q is read as %q %q, %v, not %q %q, %v", text, names, values, err, wantNames, wantValues, slowly)
	}
}

var objects = []string{
	`{}`, ` { } `, `{"a":1}`, "\t{\"a\" :\r\n[1, {\"b\":null}] , \"c\":\"\\\"}\" }\n", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":{}}`,
	`{"a":{"b":1,"b":2}}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1}}`, `{"a":1} x`, `{"a":01}`, `{"a":-}`, `{"a":1e400}`,
	`{"a":tru}`, `{"a":"\x"}`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", "{\"\xff\":1}", "\ufeff{}", `{'a':1}`,
	`[]`, `null`, `"{}"`, ``, `{`, `{"a":1`, `{"A":1,"a":2}`, "{\"a\":\"\u2028\"}", `{1:2}`, `{"a":[}`, `{"a":1}/**/`, "{\"a\":1}\x00", "{\"a\":1}\v",
	`{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
}

func TestObject(t *testing.T) {
	for _, text := range objects {
		sameObject(t, []byte(text))
	}
	text := []byte(`{"a":"b"}`)
	err := Object(text, func(name string, value []byte) error {
		if name != "a" || &value[0] != &text[5] || cap(value) != 3 {
			t.Errorf("%s is %s, of %d bytes and no part of the text", name, value, cap(value))
		}
		return io.ErrClosedPipe
	})
	if err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
}

// Each letter of a string is looked at, wherever it stands.
func TestStrings(t *testing.T) {
	for length := range 40 {
		for at := range length {
			for _, c := range []string{"\x00", "\x1f", " ", "\x7f", "\x80", "\xff", "\\", "\\n", "\\u12", "\\u12aF", "\\x", "\""} {
				letters := strings.Repeat("é", length)[:length]
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

var arrays = []string{
	`[]`, ` [ ] `, `[1,"a",{"a":1,"a":2},[[]],null]`, "[\n{\"a\" : 1}\t,\r2]", `[1,]`, `[,]`, `[1 2]`, `[1`, `[`, `]`, ``, `{}`, `null`, `7`, `"[]"`,
	`[1]]`, `[1] x`, "[\"\xff\"]", `["\ud800"]`, `["\x"]`, `[01]`, `[{"a"}]`, `[{1:2}]`, "[1]\x00", "[\"\n\"]", `[tru]`, "\ufeff[]",
}

// sameArray holds Array against encoding/json, which also takes null for an
// array, however the text comes in.
func sameArray(t *testing.T, text []byte) {
	t.Helper()
	var want []json.RawMessage
	wantErr := json.Unmarshal(text, &want)
	if wantErr == nil && want == nil || deep(text) {
		return
	}
	for _, r := range []io.Reader{
		bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(text))),
	} {
		var got [][]byte
		err := Array(r, func(value []byte) error {
			got = append(got, value)
			return nil
		})
		if (err == nil) != (wantErr == nil) || err == nil && !slices.EqualFunc(got, want, same) {
			t.Errorf("%.200q is read as %q, %v, not %q, %v", text, got, err, want, wantErr)
		}
	}
}

func TestArray(t *testing.T) {
	for _, text := range arrays {
		sameArray(t, []byte(text))
	}
}

// Values are given as they come, in pieces of memory of any size, and stay as they
// are; what the reader or the receiver fails with is given.
func TestLongArray(t *testing.T) {
	text := []byte{'['}
	var want []json.RawMessage
	for i := range 300 {
		value := json.RawMessage(`"` + strings.Repeat(string(rune('a'+i%26)), i*31%5000+i/299*2*chunk) + `"`)
		if want = append(want, value); i > 0 {
			text = append(text, " , "...)
		}
		text = append(text, value...)
	}
	text = append(text, ']')
	var got [][]byte
	take := func(value []byte) error {
		got = append(got, value)
		return nil
	}
	if err := Array(iotest.HalfReader(bytes.NewReader(text)), take); err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("%d values, %v", len(got), err)
	}
	got = nil
	if err := Array(io.MultiReader(bytes.NewReader(text[:len(text)/2]), iotest.ErrReader(io.ErrNoProgress)), take); err != io.ErrNoProgress || len(got) == 0 {
		t.Errorf("%d values, %v", len(got), err)
	}
	if err := Array(bytes.NewReader(text), func([]byte) error { return io.ErrClosedPipe }); err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
}

func FuzzArray(f *testing.F) {
	for _, text := range arrays {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameArray(t, text) })
}
