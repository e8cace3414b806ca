package hub

import (
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":{"a":2},"c":3}`: `1|{"a":2}`, `{"\u0061": "x" }`: `"x"|`, `{"b":[`: `|`, `{"a":1,"b":2,`: `1|2`,
		`[]`: `|`, ``: `|`, `{"A":1}`: `|`, `{"a":1,"a":2}`: `2|`,
	} {
		got := members([]byte(text), "a", "b")
		if s := strings.Join([]string{string(got[0]), string(got[1])}, "|"); s != want {
			t.Errorf("%s has %s, want %s", text, s, want)
		}
	}
}
