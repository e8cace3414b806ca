package script_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"smartkiosk/device/apdu/script"
)

const golden = `atr 3B 00

> 00 A4 00 00 02 3F 00  # select the master file
< 90 00

reset

> 00 B0 00 00 00  # read it
< no card
`

var decoded = script.Script{
	ATR: []byte{0x3B, 0x00},
	Steps: []script.Step{
		{Command: []byte{0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00}, Response: []byte{0x90, 0x00}, Comment: "select the master file"},
		{Command: []byte{0x00, 0xB0, 0x00, 0x00, 0x00}, Comment: "read it", Reset: true},
	},
}

func TestGolden(t *testing.T) {
	s, err := script.Parse(golden)
	if err != nil || !reflect.DeepEqual(s, decoded) {
		t.Errorf("%+v, %v", s, err)
	}
	if got := decoded.String(); got != golden {
		t.Errorf("got:\n%s", got)
	}
	loose := "# a comment\n  atr 3b00 # the ATR\n\r\n> 00a40000023f00 # select the master file\n<9000\n"
	if _, err := script.Parse(loose); err == nil || !strings.Contains(err.Error(), `"<9000"`) {
		t.Errorf("%v", err)
	}
	if s, err := script.Parse(strings.Replace(loose, "<", "< ", 1)); err != nil || len(s.Steps) != 1 || len(s.ATR) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := script.Parse(""); err != nil || s.ATR != nil || s.Steps != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestBadScripts lists bad input with the error that each gets.
func TestBadScripts(t *testing.T) {
	long := strings.Repeat("x", 100)
	for text, want := range map[string]string{
		"> 00\n< 90 00":                  `line 1: command without a comment: "> 00"`,
		"> 00 # select":                  `the last command (select) has no response`,
		"> 00 # " + long:                 `the last command (` + long[:40] + `) has no response`,
		"> 00 # select\n> 00 # again":    `line 2: out of place: "> 00 # again"`,
		"< 90 00":                        `line 1: out of place: "< 90 00"`,
		"> 0x00 # select":                `line 1: not hexadecimal: "> 0x00 # select"`,
		"> 0 # select":                   `line 1: not hexadecimal: "> 0 # select"`,
		"> no card # select":             `line 1: not hexadecimal: "> no card # select"`,
		"> # select":                     `line 1: no bytes: "> # select"`,
		"> 00 # select\n<":               `line 2: no bytes: "<"`,
		"> 00 # select\n< 90 00\natr 3B": `line 3: out of place: "atr 3B"`,
		"atr 3B\natr 3B":                 `line 2: out of place: "atr 3B"`,
		"reset\natr 3B":                  `line 2: out of place: "atr 3B"`,
		"> 00 # select\nreset":           `line 2: out of place: "reset"`,
		"reset 3B":                       `line 1: out of place: "reset 3B"`,
		"PIN 1234":                       `line 1: does not begin with atr, reset, > or <: "PIN 1234"`,
		"00 A4":                          `line 1: does not begin with atr, reset, > or <: "00 A4"`,
		"\n\n" + long:                    `line 3: does not begin with atr, reset, > or <: "` + long[:40] + `"`,
	} {
		if _, err := script.Parse(text); !errors.Is(err, script.ErrMalformed) || err.Error() != "malformed script: "+want {
			t.Errorf("%q:\n got %v\nwant %v", text, err, want)
		}
	}
}

// FuzzParse: what is decoded can be encoded and decoded again.
func FuzzParse(f *testing.F) {
	f.Add(golden)
	f.Add("> 00 # select\n< no card\nreset\n")
	scripts, err := filepath.Glob("../../smartkort/testdata/*/*.txt")
	if err != nil || len(scripts) == 0 {
		f.Fatal(scripts, err)
	}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := script.Parse(text)
		if err != nil {
			if !errors.Is(err, script.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := script.Parse(s.String())
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%v\n%+v\n%+v", err, s, again)
		}
	})
}
