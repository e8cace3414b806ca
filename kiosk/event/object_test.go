package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// readSlowly is readObject by encoding/json's tokens, each text read twice and
// more.
func readSlowly(text []byte) (names []string, values map[string]json.RawMessage, err error) {
	bad := errors.New("no object with names of its own")
	d := json.NewDecoder(bytes.NewReader(text))
	values = map[string]json.RawMessage{}
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(text) {
		return nil, nil, bad
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if _, twice := values[name]; err != nil || !ok || twice {
			return nil, nil, bad
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, bad
		}
		names, values[name] = append(names, name), value
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, bad
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, bad
	}
	return names, values, nil
}

// sameObject fails unless readObject makes of a text what readSlowly does. It may
// refuse more: half a UTF-16 pair (`\ud800`), of which each reader makes what it
// likes, and what is nested more deeply than anything of ours.
func sameObject(t *testing.T, text []byte) {
	t.Helper()
	o, err := readObject(text)
	names, values, slowly := readSlowly(text)
	if err != nil {
		strange := bytes.Contains(bytes.ToLower(text), []byte(`\ud`)) || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000
		if slowly == nil && !strange {
			t.Errorf("%.200q is refused: %v", text, err)
		}
		return
	}
	same := func(a []byte, b json.RawMessage) bool { return string(a) == string(b) }
	if slowly != nil || !slices.Equal(o.names, names) || !maps.EqualFunc(o.values, values, same) {
		t.Errorf("%.200q is read as %q %q, not %q %q, %v", text, o.names, o.values, names, values, slowly)
	}
}

var objects = []string{
	`{}`, ` { } `, `{"a":1}`, "\t{\"a\" :\r\n[1, {\"b\":null}] , \"c\":\"\\\"}\" }\n", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":{}}`,
	`{"a":{"b":1,"b":2}}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1}}`, `{"a":1} x`, `{"a":01}`, `{"a":-}`, `{"a":1e400}`,
	`{"a":tru}`, `{"a":"\x"}`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", "{\"\xff\":1}", "\ufeff{}", `{'a':1}`,
	`[]`, `null`, `"{}"`, ``, `{`, `{"a":1`, `{"A":1,"a":2}`, "{\"a\":\"\u2028\"}", `{1:2}`, `{"a":[}`, `{"a":1}/**/`, "{\"a\":1}\x00", "{\"a\":1}\v",
	`{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
}

func TestReadObject(t *testing.T) {
	for _, text := range objects {
		sameObject(t, []byte(text))
	}
	text := []byte(`{"a":"b"}`)
	o, err := readObject(text)
	if err != nil || &o.values["a"][0] != &text[5] {
		t.Errorf("%v: what is read is a copy", err)
	}
}

func FuzzReadObject(f *testing.F) {
	for _, text := range objects {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameObject(t, text) })
}
