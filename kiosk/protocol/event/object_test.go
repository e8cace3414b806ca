package event

import (
	"strings"
	"testing"
)

// TestReadObject: no two readers see two things in one text.
func TestReadObject(t *testing.T) {
	for text, want := range map[string]string{
		` {"b" : {"x":1,"x":2}, "a":"\u0041", "B":[1, 2]} `: `b={"x":1,"x":2};a="\u0041";B=[1, 2]`,
		`{}`:                 ``,
		`{"a":1,"a":2}`:      `member "a" occurs twice`,
		`{"a":1,"\u0061":2}`: `member "a" occurs twice`,
		"{\"a\":\"\xff\"}":   `not UTF-8`,
		"{\"\xc3\x28\":1}":   `not UTF-8`,
		`["a"]`:              `no JSON object`,
		``:                   `no JSON object`,
		`{"a":1`:             `malformed JSON`,
		`{"a":01}`:           `malformed JSON`,
		`{"a":1}{}`:          `more after the JSON text`,
	} {
		o, err := readObject([]byte(text))
		var got []string
		for _, name := range o.names {
			got = append(got, name+"="+string(o.values[name]))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if s := strings.Join(got, ";"); s != want {
			t.Errorf("%s is read as %s, want %s", text, s, want)
		}
	}
}
