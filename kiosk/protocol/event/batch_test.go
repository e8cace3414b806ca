package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var arrays = []string{
	`[]`, ` [ ] `, `[1,"a",{"a":1,"a":2},[[]],null]`, "[\n{\"a\" : 1}\t,\r2]", `[1,]`, `[,]`, `[1 2]`, `[1`, `[`, `]`, ``, `{}`, `null`, `7`, `"[]"`,
	`[1]]`, `[1] x`, "[\"\xff\"]", `["\ud800"]`, `["\x"]`, `[01]`, `[{"a"}]`, `[{1:2}]`, "[1]\x00", "[\"\n\"]", `[tru]`, "\ufeff[]", `[1}`, `[1]2`,
}

func sameBytes(a []byte, b json.RawMessage) bool { return bytes.Equal(a, b) }

// sameArray compares ReadBatch with encoding/json, which also accepts null for an
// array, in whatever pieces the text arrives.
func sameArray(t *testing.T, text []byte) {
	t.Helper()
	var want []json.RawMessage
	wantErr := json.Unmarshal(text, &want)
	if wantErr == nil && want == nil || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000 {
		return
	}
	for _, r := range []io.Reader{
		bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(text))),
	} {
		var got [][]byte
		err := ReadBatch(r, func(value []byte) error {
			got = append(got, value)
			return nil
		})
		if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, ErrBatch) || err == nil && !slices.EqualFunc(got, want, sameBytes) {
			t.Errorf("%.200q is read as %q, %v, not %q, %v", text, got, err, want, wantErr)
		}
	}
}

func TestBatchAsEncodingJSON(t *testing.T) {
	for _, text := range arrays {
		sameArray(t, []byte(text))
	}
}

// TestLongBatch checks that events stay as they are when more arrives, and which
// error is returned.
func TestLongBatch(t *testing.T) {
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
	keep := func(value []byte) error {
		got = append(got, value)
		return nil
	}
	if err := ReadBatch(iotest.HalfReader(bytes.NewReader(text)), keep); err != nil || !slices.EqualFunc(got, want, sameBytes) {
		t.Errorf("%d values, %v", len(got), err)
	}
	for i, value := range got {
		if cap(value) != len(value) {
			t.Fatalf("event %d could be appended to, into the one after it", i)
		}
	}
	got = nil
	if err := ReadBatch(io.MultiReader(bytes.NewReader(text[:len(text)/2]), iotest.ErrReader(io.ErrNoProgress)), keep); err != io.ErrNoProgress || len(got) == 0 {
		t.Errorf("%d values, %v", len(got), err)
	}
	if err := ReadBatch(bytes.NewReader(text), func([]byte) error { return io.ErrClosedPipe }); err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
}

// TestBatchIsReadAsItArrives checks that an event is there before the end of the
// batch: a kiosk sends all but the end and lets the hub open events meanwhile.
func TestBatchIsReadAsItArrives(t *testing.T) {
	r, w := io.Pipe()
	events := make(chan string)
	done := make(chan error)
	go func() {
		done <- ReadBatch(r, func(value []byte) error {
			events <- string(value)
			return nil
		})
	}()
	if _, err := io.WriteString(w, `[{"a":1},`); err != nil {
		t.Fatal(err)
	}
	if got := <-events; got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
	if _, err := io.WriteString(w, `{}`); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(w, `]`)
		_ = w.Close()
	}()
	if got := <-events; got != `{}` {
		t.Errorf("got %s", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func FuzzBatch(f *testing.F) {
	for _, text := range arrays {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameArray(t, text) })
}
