package apdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"smartkiosk/device/apdu"
)

func TestParseATR(t *testing.T) {
	for _, c := range []struct {
		name, atr  string
		protocols  []int
		historical string
		told       bool
		chaining   bool
		extended   bool
	}{
		{"Smartkort, no TD", "3B6F00008031E06B042005020155555555555555", []int{0}, "8031e06b0420050201555555555555", false, false, false},
		{"Smartkort, TD1 = T=0", "3B9F96400A8031E06B0420050210555555555555", []int{0}, "8031e06b0420050210555555555555", false, false, false},
		{"TD1 = TD2 = T=1", "3BD218008131FE5800C9", []int{1}, "00c9", false, false, false},
		{"TD1 = T=1", "3BF21300008131FE454A43", []int{1}, "4a43", false, false, false},
		{"TD1 = T=1, TD2 = 15", "3B80811F01", []int{1}, "", false, false, false},
		{"capabilities without a category indicator", "3B8580017300C0C000", []int{0, 1}, "7300c0c000", false, false, false},
		{"supports chaining and extended length", "3B8580018073C021C0", []int{0, 1}, "8073c021c0", true, true, true},
		{"chaining only, status bytes at the end", "3B080073C02180079000", []int{0}, "0073c02180079000", true, true, false},
		{"proprietary form", "3B06 31C0738001 80", []int{0}, "31c073800180", false, false, false},
		{"after another object", "3B07 8031C073800180", []int{0}, "8031c073800180", true, true, false},
	} {
		b := unhex(t, c.atr)
		got, err := apdu.ParseATR(b)
		if err != nil || !reflect.DeepEqual(got.Protocols, c.protocols) || hex.EncodeToString(got.Historical) != c.historical ||
			got.HasCapabilities != c.told || got.Chaining != c.chaining || got.Extended != c.extended {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// TestSpeed decodes the speed in TA1.
func TestSpeed(t *testing.T) {
	for atr, want := range map[string][2]int{
		"3B9F96400A8031E06B0420050210555555555555": {512, 32},
		"3B02 8031": {372, 1}, "3B12 18 8031": {372, 12}, "3B12 95 8031": {512, 16}, "3B12 77 8031": {372, 1}, "3B12 10 8031": {372, 1},
	} {
		if a, err := apdu.ParseATR(unhex(t, atr)); err != nil || a.F != want[0] || a.D != want[1] {
			t.Errorf("%s: %d/%d, %v", atr, a.F, a.D, err)
		}
	}
}

func TestBadATRs(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "TS alone": "3B", "cut inside the interface bytes": "3BF8", "cut inside the historical bytes": "3B6F0000803 1",
		"TD without an end": "3B80" + "8080808080", "34 bytes": "3B00" + zeros[:64],
	} {
		if a, err := apdu.ParseATR(unhex(t, in)); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// FuzzParseATR checks that all decoded values lie inside the input.
func FuzzParseATR(f *testing.F) {
	for _, s := range []string{"3B9F96400A8031E06B0420050210555555555555", "3B8580018073C021C0", "3BF8", "3B80811F01"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := apdu.ParseATR(b)
		if err != nil {
			if !errors.Is(err, apdu.ErrMalformed) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		if len(a.Protocols) == 0 || len(a.Historical) > 15 || !bytes.Contains(b, a.Historical) {
			t.Fatalf("%+v", a)
		}
	})
}
