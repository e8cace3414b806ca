package smartkort_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"smartkiosk/device/apdu/apdutest"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// TestVisitByScript makes the same visit at each kind of card in
// testdata/scripts. The scripts say what is special about each.
func TestVisitByScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			card, err := smartkort.Driver{}.Open(t.Context(), apdutest.Load(t, path))
			if err != nil {
				t.Fatal(err)
			}
			defer card.Close()
			certs, err := card.Certificates(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(certs) != 1 {
				t.Fatalf("%d certificates", len(certs))
			}
			c := certs[0]
			if !bytes.Equal(c.ID, []byte{0x45}) || c.Label != "C" || !bytes.Equal(c.DER, []byte{0x30, 0x03, 0x02, 0x01, 0x05}) {
				t.Errorf("certificate %+v", c)
			}
			if k := c.Key; k.Label != "K" || k.Reference != 1 || k.Bits != 2048 || !k.Usage.Sign || k.Usage.NonRepudiation || k.Kind() != "RSA" {
				t.Errorf("key %+v", k)
			}
			tries, known, err := card.PINTries(t.Context(), c)
			if told := filepath.Base(path) != "applet.txt"; err != nil || known != told || told && tries != 3 {
				t.Errorf("%d tries, %v, %v", tries, known, err)
			}
			if err := card.VerifyPIN(t.Context(), c, []byte("1234")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnknownCards: the driver finds no application on these cards.
func TestUnknownCards(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"a bank card": {`
			atr 3B 00
			> 00 A4 04 0C 0C A0 00 00 00 63 50 4B 43 53 2D 31 35  # the application by AID
			< 6A 82
			> 00 A4 08 0C 02 2F 00                                # EF.DIR
			< 6A 82
			> 00 A4 08 0C 02 50 15                                # the application by path
			< 6A 82
			> 00 A4 04 0C 0C F2 76 A2 88 BC FB A6 9D 34 F3 10 01  # an applet that may hold one
			< 6A 82
			> 00 A4 04 0C 09 A0 00 00 03 08 00 00 10 00           # the PIV applet
			< 6A 82`, smartkort.ErrUnknownCard},
		"a card that knows no class 00": {`
			> 00 A4 04 0C 0C A0 00 00 00 63 50 4B 43 53 2D 31 35  # the application by AID
			< 6E 00
			> 00 A4 08 0C 02 2F 00                                # EF.DIR
			< 6E 00
			> 00 A4 00 0C 02 3F 00                                # step by step
			< 6E 00
			> 00 B2 01 04 00                                      # EF.DIR by records
			< 6E 00
			> 00 A4 08 0C 02 50 15                                # the application by path
			< 6E 00
			> 00 A4 00 0C 02 3F 00                                # step by step
			< 6E 00
			> 00 A4 04 0C 0C F2 76 A2 88 BC FB A6 9D 34 F3 10 01  # an applet that may hold one
			< 6E 00
			> 00 A4 04 0C 09 A0 00 00 03 08 00 00 10 00           # the PIV applet
			< 6E 00`, smartkort.ErrUnknownCard},
		"an application whose directory is garbage": {`
			> 00 A4 04 0C 0C A0 00 00 00 63 50 4B 43 53 2D 31 35  # the application by AID
			< 90 00
			> 00 B0 92 00 00                                      # EF.TokenInfo by its short identifier
			< 6A 86
			> 00 A4 00 0C 02 50 32                                # EF.TokenInfo
			< 6A 82
			> 00 A4 00 0C 02 50 31                                # EF.OD
			< 90 00
			> 00 B0 00 00 00                                      # read it
			< 30 80 90 00
			> 00 A4 08 0C 02 2F 00                                # EF.DIR
			< 6A 82
			> 00 A4 08 0C 02 50 15                                # the application by path
			< 6A 82
			> 00 A4 04 0C 0C F2 76 A2 88 BC FB A6 9D 34 F3 10 01  # an applet that may hold one
			< 6A 82
			> 00 A4 04 0C 09 A0 00 00 03 08 00 00 10 00           # the PIV applet
			< 6A 82`, smartkort.ErrMalformed},
		"a card under secure messaging": {`
			> 00 A4 04 0C 0C A0 00 00 00 63 50 4B 43 53 2D 31 35  # the application by AID
			< 69 87`, smartkort.ErrSecureMessaging},
		"pulled": {`
			> 00 A4 04 0C 0C A0 00 00 00 63 50 4B 43 53 2D 31 35  # the application by AID
			< no card`, slot.ErrNoCard},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (smartkort.Driver{}).Open(t.Context(), apdutest.Play(t, c.script)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
