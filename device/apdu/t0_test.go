package apdu_test

import (
	"bytes"
	"testing"

	"smartkiosk/device/apdu"
)

func TestT0LeavesLeOffCase4(t *testing.T) {
	for in, want := range map[string]string{
		"002A9E9A01AA00": "002A9E9A01AA", // signs, requests 256 bytes
		"002A9E9A01AA":   "002A9E9A01AA", // already without Le
		"00B0000002":     "00B0000002",   // without data, so Le stays
		"00A40000023F00": "00A40000023F00",
		"00200082":       "00200082",
	} {
		if got := apdu.T0(unhex(t, in)); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s became %X, want %s", in, got, want)
		}
	}
}
