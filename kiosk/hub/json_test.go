package hub

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
)

var arrays = []string{
	`[]`, ` [ ] `, `[1,"a",{"a":1,"a":2},[[]],null]`, "[\n{\"a\" : 1}\t,\r2]", `[1,]`, `[,]`, `[1 2]`, `[1`, `[`, `]`, ``, `{}`, `null`, `7`, `"[]"`,
	`[1]]`, `[1] x`, "[\"\xff\"]", `["\ud800"]`, `["\x"]`, `[01]`, `[{"a"}]`, `[{1:2}]`, "[1]\x00", "[\"\n\"]", `[tru]`, "\ufeff[]",
}

// sameArray holds eachOfArray against encoding/json, which also takes null for an
// array.
func sameArray(t *testing.T, text []byte) {
	t.Helper()
	var got []json.RawMessage
	err := eachOfArray(iotest.HalfReader(bytes.NewReader(text)), func(value json.RawMessage) error {
		got = append(got, value)
		return nil
	})
	var want []json.RawMessage
	wantErr := json.Unmarshal(text, &want)
	if wantErr == nil && want == nil {
		return
	}
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000 {
		return // each has a depth of its own at which it gives up
	}
	if (err == nil) != (wantErr == nil) || err == nil && len(got) != len(want) {
		t.Fatalf("%.200q: %d values, %v, not %d, %v", text, len(got), err, len(want), wantErr)
	}
	for i := range got {
		if err == nil && !bytes.Equal(got[i], want[i]) {
			t.Errorf("%.200q: value %d is %q, not %q", text, i, got[i], want[i])
		}
	}
}

func TestEachOfArray(t *testing.T) {
	for _, text := range arrays {
		sameArray(t, []byte(text))
	}
}

func FuzzEachOfArray(f *testing.F) {
	for _, text := range arrays {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameArray(t, text) })
}

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
