package smartkort_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// described is part of the profile of a card that does not describe itself, as
// somebody with the card's specification would write it.
const described = pinSection + `[puk]
reference = 0x83
encoding = "ascii"
min = 8
max = 8
stored = 8
[[key]]
label = "Signing"
kind = "rsa"
use = "signature"
reference = 0x02
certificate = "3F0050154502"
[[key]]
label = "Login"
kind = "rsa"
use = "authentication"
reference = 0x01
certificate = "3F0050154501"
[[sign]]
key = "rsa"
recipe = "digest-info"
algorithm = 0x02
`

// undescribed returns a Smartkort without any directory.
func undescribed(t *testing.T, p *testpki.PKI, name string) *line {
	t.Helper()
	l := connect(t, p.Cards[name])
	directories := [][]byte{[]byte("\xA0\x00\x00\x00\x63PKCS-15"), {0x2F, 0x00}, {0x50, 0x31}, {0x50, 0x32}, {0x44, 0x01}, {0x44, 0x02}, {0x44, 0x03}}
	l.after = func(_ int, command, response []byte) ([]byte, error) {
		if command[1] == 0xB0 && command[2]&0x80 != 0 || command[1] == 0xA4 && slices.ContainsFunc(directories, func(d []byte) bool { return bytes.HasSuffix(command, d) }) {
			return []byte{0x6A, 0x82}, nil
		}
		return response, nil
	}
	return l
}

// TestCardByProfile checks that a card that does not describe itself is used as its
// profile describes it, and is unknown without a profile.
func TestCardByProfile(t *testing.T) {
	p := newPKI(t)
	for name, where := range map[string]string{"a path": "[application]\npath = \"3F005015\"\n", "nowhere": ""} {
		d := withProfile(t, where+described)
		der, err := tryVisit(t, d, undescribed(t, p, "valid"), testpki.PIN)
		if err != nil || !bytes.Equal(der, p.Holders["valid"].Authentication.Certificate.Raw) {
			t.Errorf("%s: another certificate, %v", name, err)
		}
	}
	card, err := withProfile(t, described).Open(t.Context(), undescribed(t, p, "valid"))
	if err != nil {
		t.Fatal(err)
	}
	told, err := card.Describe(t.Context())
	if err != nil || told.Found != "profile test" || len(told.PINs) != 2 || !told.PINs[1].Unblocking || told.PINs[1].Tries != testpki.Tries ||
		len(told.Keys) != 2 || len(told.Certificates) != 2 || told.Certificates[1].Label != "Login" {
		t.Errorf("%+v, %v", told, err)
	}
	if err := card.UnblockPIN(t.Context(), told.PINs[0].PIN, []byte(testpki.PUK), []byte("8642")); err != nil {
		t.Error(err)
	}
	if err := card.VerifyPIN(t.Context(), told.Certificates[1], []byte("8642")); err != nil {
		t.Error(err)
	}

	l := undescribed(t, p, "valid")
	if _, err := (smartkort.Driver{}).Open(t.Context(), l); !errors.Is(err, smartkort.ErrUnknownCard) || l.count(insVerify) != 0 {
		t.Errorf("without a profile: %v", err)
	}
	elsewhere := withProfile(t, "[application]\npath = \"3F005016\"\n"+described)
	if _, err := elsewhere.Open(t.Context(), undescribed(t, p, "valid")); !errors.Is(err, smartkort.ErrUnknownCard) {
		t.Errorf("a profile of another card: %v", err)
	}
}
