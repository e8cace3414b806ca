package apdu_test

import (
	"bytes"
	"testing"

	"smartkiosk/device/apdu"
)

func TestT0LeavesLeOffCase4(t *testing.T) {
	for in, want := range map[string]string{
		"002A9E9A01AA00": "002A9E9A01AA", // signs, asks for 256 bytes
		"002A9E9A01AA":   "002A9E9A01AA", // and is not cut twice
		"00B0000002":     "00B0000002",   // no data: Le stays
		"00A40000023F00": "00A40000023F00",
		"00200082":       "00200082",
	} {
		if got := apdu.T0(unhex(t, in)); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s became %X, want %s", in, got, want)
		}
	}
}

func TestOffersT1(t *testing.T) {
	for _, c := range []struct {
		name, atr string
		want      bool
	}{
		{"Smartkort, no TD", "3B6F00008031E06B042005020155555555555555", false},
		{"Smartkort, TD1 = T=0", "3B9F96400A8031E06B0420050201555555555555", false},
		{"TD1 = T=0, TD2 = T=1", "3BDF18008131FE588031B05202016405A1009000", true},
		{"TD1 = T=1", "3BF81300008131FE454A434F507632343143", true},
		{"cut inside the interface bytes", "3BF8", false},
		{"nothing", "", false},
	} {
		if got := apdu.OffersT1(unhex(t, c.atr)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
