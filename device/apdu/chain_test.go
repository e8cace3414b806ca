package apdu_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/apdutest"
	"smartkiosk/device/slot"
)

// TestChaining sends 256 bytes as 255 + 1, which is how cards without
// extended length receive the block of an RSA key of 2048 bits.
func TestChaining(t *testing.T) {
	full := strings.Repeat("AB", 255)
	first := fmt.Sprintf("> 10 2A 9E 9A FF %s # the first 255 bytes, more follow\n", full)
	sign := apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: unhex(t, full+"CD"), Le: 512}
	for _, c := range []struct {
		name, script, data string
		sw                 apdu.Status
		err                error
	}{
		{"taken", first + "< 90 00\n> 00 2A 9E 9A 01 CD 00 # the last byte, answer wanted\n< AA BB 90 00", "AABB", apdu.OK, nil},
		{"answer waits", first + "< 90 00\n> 00 2A 9E 9A 01 CD 00 # the last byte\n< 61 02\n> 00 C0 00 00 02 # fetch\n< AA BB 90 00", "AABB", apdu.OK, nil},
		{"not known", first + "< 68 84", "", apdu.ChainingUnsupported, nil},
		{"pulled", first + "< no card", "", 0, slot.ErrNoCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := apdu.ExchangeChained(t.Context(), apdutest.Play(t, c.script), sign)
			if !errors.Is(err, c.err) || r.SW != c.sw || string(r.Data) != string(unhex(t, c.data)) {
				t.Errorf("%X %v, %v", r.Data, r.SW, err)
			}
		})
	}
}

// TestChainingNeedsNone checks that data which fits into one command is not
// chained.
func TestChainingNeedsNone(t *testing.T) {
	p := apdutest.Play(t, "> 00 2A 9E 9A FF "+strings.Repeat("00", 255)+" 00 # all of it\n< 90 00")
	if _, err := apdu.ExchangeChained(t.Context(), p, apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: make([]byte, 255), Le: 256}); err != nil {
		t.Error(err)
	}
}
