package t1_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/usbreader/t1"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// blocks are the kinds of block in ISO 7816-3 §11.3.2, with the values of its tables 9
// to 11 (coding of PCB).
var blocks = map[string]struct {
	bytes string
	block t1.Block
}{
	"I(0,0), SELECT MF":   {"00 00 07 00A40000023F00 9E", t1.Block{PCB: t1.Information(0, false), Information: []byte("\x00\xA4\x00\x00\x02\x3F\x00")}},
	"I(1,0), 9000":        {"00 40 02 9000 D2", t1.Block{PCB: t1.Information(1, false), Information: []byte("\x90\x00")}},
	"I(0,1)":              {"00 20 01 AA 8B", t1.Block{PCB: t1.Information(0, true), Information: []byte{0xAA}}},
	"I(1,1), empty":       {"00 60 00 60", t1.Block{PCB: t1.Information(1, true), Information: []byte{}}},
	"R(0)":                {"00 80 00 80", t1.Block{PCB: t1.Ready(0, t1.Received), Information: []byte{}}},
	"R(1)":                {"00 90 00 90", t1.Block{PCB: t1.Ready(1, t1.Received), Information: []byte{}}},
	"R(0), LRC":           {"00 81 00 81", t1.Block{PCB: t1.Ready(0, t1.WrongChecksum), Information: []byte{}}},
	"R(1), other":         {"00 92 00 92", t1.Block{PCB: t1.Ready(1, t1.OtherError), Information: []byte{}}},
	"S(RESYNCH request)":  {"00 C0 00 C0", t1.Block{PCB: t1.Resynch, Information: []byte{}}},
	"S(RESYNCH response)": {"00 E0 00 E0", t1.Block{PCB: t1.Resynch.Response(), Information: []byte{}}},
	"S(IFS request)":      {"00 C1 01 FE 3E", t1.Block{PCB: t1.IFS, Information: []byte{0xFE}}},
	"S(IFS response)":     {"00 E1 01 FE 1E", t1.Block{PCB: t1.IFS.Response(), Information: []byte{0xFE}}},
	"S(ABORT request)":    {"00 C2 00 C2", t1.Block{PCB: t1.Abort, Information: []byte{}}},
	"S(ABORT response)":   {"00 E2 00 E2", t1.Block{PCB: t1.Abort.Response(), Information: []byte{}}},
	"S(WTX request)":      {"00 C3 01 02 C0", t1.Block{PCB: t1.WTX, Information: []byte{2}}},
	"S(WTX response)":     {"00 E3 01 02 E0", t1.Block{PCB: t1.WTX.Response(), Information: []byte{2}}},
	"node addresses":      {"21 80 00 A1", t1.Block{NAD: 0x21, PCB: t1.Ready(0, t1.Received), Information: []byte{}}},
}

func TestBlock(t *testing.T) {
	for name, c := range blocks {
		got, err := t1.Parse(unhex(t, c.bytes))
		if err != nil || !reflect.DeepEqual(got, c.block) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if b := c.block.Bytes(); !bytes.Equal(b, unhex(t, c.bytes)) {
			t.Errorf("%s: %X", name, b)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":              {"", t1.ErrMalformed},
		"three bytes":          {"00 80 00", t1.ErrMalformed},
		"more than LEN":        {"00 80 00 80 00", t1.ErrMalformed},
		"less than LEN":        {"00 00 03 0000 03", t1.ErrMalformed},
		"LEN of 255":           {"00 00 FF" + strings.Repeat("00", 255) + "FF", t1.ErrMalformed},
		"LRC":                  {"00 40 02 9000 D3", t1.ErrChecksum},
		"a bit turned":         {"00 40 02 9001 D2", t1.ErrChecksum},
		"reserved bit of I":    {"00 01 00 01", t1.ErrMalformed},
		"reserved bit of R":    {"00 A0 00 A0", t1.ErrMalformed},
		"R with an error of 3": {"00 83 00 83", t1.ErrMalformed},
		"R with information":   {"00 80 01 00 81", t1.ErrMalformed},
		"S unknown":            {"00 C4 00 C4", t1.ErrMalformed},
		"S IFS without":        {"00 C1 00 C1", t1.ErrMalformed},
		"S WTX with two":       {"00 C3 02 0101 C1", t1.ErrMalformed},
		"S ABORT with one":     {"00 C2 01 00 C3", t1.ErrMalformed},
	} {
		if got, err := t1.Parse(unhex(t, c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestInformationField(t *testing.T) {
	for name, c := range map[string]struct {
		atr  string
		want int
	}{
		"TA3 of 254":         {"3B 89 81 31 FE 45 80 31 E8 73 F0 21 40 51 03 00", 254},
		"TD1 names T=1 only": {"3B 80 01 81", 32},
		"T=0 alone":          {"3B 6F 00 00 80 31 E0 6B 04 20 05 02 10 55 55 55 55 55 55", 32},
		// TA1, TB1, TC1, TD1 (T=0), TC2, TD2 (T=1), TA3, TB3.
		"T=0, then T=1": {"3B F0 11 00 00 C0 0A 31 20 45 00", 32},
		"of 128":        {"3B 80 80 11 80 91", 128},
		// TA2 is the mode byte, whichever protocol TD1 names.
		"TA2":         {"3B 80 91 05 00", 32},
		"of 0":        {"3B 80 81 11 00 10", 32},
		"of 255":      {"3B 80 81 11 FF EF", 32},
		"cut":         {"3B 80 81 11", 32},
		"cut earlier": {"3B F0", 32},
		"nothing":     {"", 32},
	} {
		if got := t1.InformationField(unhex(t, c.atr)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// FuzzParse: encoding a decoded block returns the same bytes.
func FuzzParse(f *testing.F) {
	for _, c := range blocks {
		f.Add(unhex(f, c.bytes))
	}
	f.Add(unhex(f, "3B 89 81 31 FE 45 80 31 E8 73 F0 21 40 51 03 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := t1.InformationField(b); n < 1 || n > t1.MaxInformation {
			t.Fatalf("blocks of %d bytes", n)
		}
		block, err := t1.Parse(b)
		if err != nil {
			return
		}
		if again := block.Bytes(); !bytes.Equal(again, b) {
			t.Fatalf("%X became %X", b, again)
		}
	})
}
