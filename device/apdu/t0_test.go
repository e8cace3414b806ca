package apdu_test

import (
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/apdutest"
)

func TestT0LeavesLeOffCase4(t *testing.T) {
	card := apdu.T0{Transmitter: apdutest.Play(t, `
		> 00 2A 9E 9A 01 AA  # sign, which asked for 256 bytes
		< 61 01
		> 00 C0 00 00 01     # fetch
		< BB 90 00
		> 00 B0 00 00 02     # read 2 bytes: no data, so Le stays
		< 01 02 90 00
		> 00 A4 00 00 02 3F 00  # select: no Le to leave off
		< 90 00
		> 00 20 00 82        # no body at all
		< 63 C3`)}
	for _, c := range []apdu.Command{
		{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: []byte{0xAA}, Le: 256},
		{INS: 0xB0, Le: 2},
		{INS: 0xA4, Data: []byte{0x3F, 0x00}},
		{INS: 0x20, P2: 0x82},
	} {
		if _, err := apdu.Exchange(t.Context(), card, c); err != nil {
			t.Fatal(err)
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
