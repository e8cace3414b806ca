package display_test

import (
	"fmt"
	"testing"

	"smartkiosk/device/display"
)

// TestEncoder encodes frames in order and checks the bytes and the letters that
// are taught to each slot.
func TestEncoder(t *testing.T) {
	ascii := func(r rune) (byte, bool) { return byte(r), r >= ' ' && r < '~' }
	e := display.NewEncoder(ascii, 3)
	var shown []byte
	for _, tt := range []struct {
		what, letters, codes, loads string
	}{
		{"taught as read", "æxø", "\x00x\x01", "0æ 1ø"},
		{"known already", "øæ", "\x01\x00", ""},
		{"a slot that is free", "åå", "\x02\x02", "2å"},
		{"known still", "æ", "\x00", ""},
		{"one that is not shown goes first", "Å", "\x01", "1Å"},
		{"then the others; what is wanted stays", "Åčđ", "\x01\x00\x02", "0č 2đ"},
		{"no room for a fourth", "šÅčđ", "\x02\x01\x00d", "2š"},
		{"nothing looks like it", "日", "?", ""},
		{"without what stands over it", "ñ", "n", ""},
	} {
		codes, loads := e.Encode([][]rune{[]rune(tt.letters)}, shown)
		got := ""
		for i, l := range loads {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%d%c", l.Slot, l.Letter)
			if dots, _ := display.Dots(l.Letter); dots != l.Dots {
				t.Errorf("%s: other dots for %c", tt.what, l.Letter)
			}
		}
		if string(codes) != tt.codes || got != tt.loads {
			t.Errorf("%s: %q is %q and teaches %q, want %q and %q", tt.what, tt.letters, codes, got, tt.codes, tt.loads)
		}
		shown = codes
	}
}

func TestRuns(t *testing.T) {
	for _, tt := range []struct{ have, want, runs string }{
		{"", "", ""},
		{"abc", "abc", ""},
		{"abc", "xbc", "0x "},
		{"abcdef", "abXYeZ", "2XY 5Z "},
		{"abc", "xyz", "0xyz "},
	} {
		got := ""
		for col, run := range display.Runs([]byte(tt.have), []byte(tt.want)) {
			got += fmt.Sprintf("%d%s ", col, run)
		}
		if got != tt.runs {
			t.Errorf("from %q to %q: %q, want %q", tt.have, tt.want, got, tt.runs)
		}
	}
	for col, run := range display.Runs(nil, []byte("abc")) {
		if col != 0 || string(run) != "abc" {
			t.Errorf("from nothing: %d %q", col, run)
		}
	}
}
