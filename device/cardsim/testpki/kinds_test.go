package testpki_test

import (
	"bytes"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/testpki"
)

// TestKinds checks that there is a card of each kind, that its certificates match its
// keys, and that they pass path validation, except for the company's.
func TestKinds(t *testing.T) {
	p := newPKI(t)
	kinds, err := p.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(slices.Sorted(maps.Keys(kinds)), " "); got != "applet esteid fineid isoapplet mixed no-aid oseid piv t1 two-pin" {
		t.Errorf("kinds %s", got)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(p.Root)
	intermediates.AddCert(p.PersonCA)
	for name, kind := range kinds {
		image := kind.Card.Image()
		if image.Kind != name || len(image.Keys) != len(kind.Certificates) || kind.About == "" {
			t.Errorf("%s: kind %s with %d keys, %d certificates", name, image.Kind, len(image.Keys), len(kind.Certificates))
		}
		for key, c := range kind.Certificates {
			if !bytes.Equal(image.Keys[key].Certificate, c.Raw) {
				t.Errorf("%s: another certificate %s on the card", name, key)
			}
			if public, err := x509.MarshalPKIXPublicKey(image.Keys[key].Private.Public()); err != nil || !bytes.Equal(public, c.RawSubjectPublicKeyInfo) {
				t.Errorf("%s: key %s does not fit its certificate: %v", name, key, err)
			}
			_, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if company := strings.HasPrefix(key, "company-"); (err != nil) != company {
				t.Errorf("%s %s: %v", name, key, err)
			}
			if usage := c.KeyUsage&x509.KeyUsageDigitalSignature != 0; usage == (key == "signature") {
				t.Errorf("%s %s: key usage %b", name, key, c.KeyUsage)
			}
		}
		for pin, value := range image.PINs {
			want := testpki.PIN
			switch {
			case pin == "puk":
				want = testpki.PUK
			case pin == "signature-pin" || name == "t1" || name == "piv":
				want = testpki.LongPIN
			}
			if string(value.Value) != want || value.Left != testpki.Tries {
				t.Errorf("%s: %s has %d tries", name, pin, value.Left)
			}
		}
	}
}
