package smartkort_test

import (
	"errors"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// TestPINStatusByProfile: the profile decides what a status word means, otherwise the
// standard does.
func TestPINStatusByProfile(t *testing.T) {
	own := withProfile(t, "[pin_status]\n\"6984\" = \"inactive\"\n\"6F00\" = \"blocked\"\n\"63C0\" = \"wrong\"\n\"6985\" = \"wrong\"")
	pki := newPKI(t)
	blocked, wrong := &smartkort.PINError{Tries: 0}, &smartkort.PINError{Tries: -1}
	for _, c := range []struct {
		name   string
		driver smartkort.Driver
		sw     apdu.Status
		pin    *smartkort.PINError // wanted
		other  error               // or this
	}{
		{"three left", smartkort.Driver{}, 0x63C3, &smartkort.PINError{Tries: 3}, nil},
		{"none left", smartkort.Driver{}, 0x63C0, blocked, nil},
		{"blocked", smartkort.Driver{}, 0x6983, blocked, nil},
		{"no count", smartkort.Driver{}, 0x6300, wrong, nil},
		{"not usable, of a card that says not why", smartkort.Driver{}, 0x6984, nil, apdu.ReferenceNotUsable},
		{"inactive", own, 0x6984, nil, smartkort.ErrInactive},
		{"blocked in a way of its own", own, 0x6F00, blocked, nil},
		{"wrong in a way of its own", own, 0x6985, wrong, nil},
		{"63C0 that does not mean blocked", own, 0x63C0, wrong, nil},
		{"three left, by the standard", own, 0x63C3, &smartkort.PINError{Tries: 3}, nil},
	} {
		l := connect(t, pki.Cards["valid"])
		card, err := c.driver.Open(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		certs, err := card.AuthenticationCertificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.after = func(_ int, command, response []byte) ([]byte, error) {
			if command[1] == insVerify {
				return []byte{byte(c.sw >> 8), byte(c.sw)}, nil
			}
			return response, nil
		}
		n, known, err := card.PINTries(t.Context(), certs[0])
		switch {
		case c.other == smartkort.ErrInactive:
			if !errors.Is(err, smartkort.ErrInactive) {
				t.Errorf("%s, asked: %v", c.name, err)
			}
			if d, err := card.Describe(t.Context()); err != nil || !d.PINs[0].Inactive {
				t.Errorf("%s, described: %+v, %v", c.name, d.PINs, err)
			}
		case err != nil || known != (c.pin != nil && c.pin.Tries >= 0) || known && n != c.pin.Tries:
			t.Errorf("%s, asked: %d, %v, %v", c.name, n, known, err)
		}
		err = card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN))
		if got, ok := errors.AsType[*smartkort.PINError](err); c.pin != nil && (!ok || *got != *c.pin) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.other != nil && !errors.Is(err, c.other) {
			t.Errorf("%s: %v", c.name, err)
		}
		typed := 0
		for _, command := range l.sent {
			if command[1] == insVerify && len(command) > 5 {
				typed++
			}
		}
		if typed != 1 {
			t.Errorf("%s: the PIN was sent %d times", c.name, typed)
		}
	}
}

// TestInactiveCard: a card that its holder has not activated yet is distinguished
// from a blocked one if the profile says how it answers. Otherwise it is an error. No
// try is spent.
func TestInactiveCard(t *testing.T) {
	inactive := newPKI(t).Cards["inactive"]
	for _, c := range []struct {
		driver smartkort.Driver
		want   error
	}{
		{withProfile(t, "[pin_status]\n\"6984\" = \"inactive\""), smartkort.ErrInactive},
		{smartkort.Driver{}, apdu.ReferenceNotUsable},
	} {
		if _, err := tryVisit(t, c.driver, connect(t, inactive), testpki.PIN); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if left := inactive.Image().PINs["pin"].Left; left != testpki.Tries {
		t.Errorf("%d tries left", left)
	}
}
