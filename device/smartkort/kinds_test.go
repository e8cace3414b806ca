package smartkort_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

func newKinds(t testing.TB) map[string]testpki.Kind {
	t.Helper()
	p, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := p.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	older := kinds[cardsim.OsEID] // the same card as MyEID before version 4.5
	image := older.Card.Image()
	image.Kind = cardsim.MyEID
	if older.Card, err = cardsim.New(image); err != nil {
		t.Fatal(err)
	}
	kinds[cardsim.MyEID] = older
	return kinds
}

// pinOf returns the PIN that the key of a certificate needs.
func pinOf(kind string, c smartkort.Certificate) string {
	two := kind == cardsim.TwoPIN || kind == cardsim.FinEID
	if kind == cardsim.T1 || kind == cardsim.PIV || two && c.Key.Usage.NonRepudiation {
		return testpki.LongPIN
	}
	return testpki.PIN
}

func nameOf(t *testing.T, k testpki.Kind, c smartkort.Certificate) string {
	t.Helper()
	for name, certificate := range k.Certificates {
		if bytes.Equal(certificate.Raw, c.DER) {
			return name
		}
	}
	t.Fatalf("a certificate %q that the card was not given", c.Label)
	return ""
}

// check verifies a signature with the certificate's public key.
func check(public crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(public, pss.Hash, digest, signature, pss)
		}
		return rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, signature)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, digest, signature) {
			return nil
		}
	}
	return errors.New("wrong signature")
}

// TestKinds finds every certificate of every kind of card, and signs with every key
// in the ways that the card lists.
func TestKinds(t *testing.T) {
	sha256, sha384 := crypto.SignerOpts(crypto.SHA256), crypto.SignerOpts(crypto.SHA384)
	kinds := newKinds(t)
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	for name, want := range map[string]struct {
		found   string
		ways    map[string][]crypto.SignerOpts // by the names of keys
		unknown map[string]crypto.SignerOpts
		readFew int // certificates read to authenticate
		hidden  int // keys that the profile leaves out
	}{
		cardsim.TwoPIN: {found: "AID of the standard", readFew: 2, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384}, "authentication-rsa": {sha256, sha384, pss}, "signature": {sha384}}},
		cardsim.NoAID: {found: "path 3F00/5015", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256}, "signature": {sha256}}, unknown: map[string]crypto.SignerOpts{"authentication": sha384}},
		cardsim.Applet: {found: "path in EF.DIR, in an applet", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384}, "signature": {sha256}}, unknown: map[string]crypto.SignerOpts{"authentication": pss}},
		cardsim.T1: {found: "AID of the standard", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384}, "signature": {sha256}}},
		cardsim.IsoApplet: {found: "path in EF.DIR, in an applet", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384}, "signature": {sha256}}},
		cardsim.OsEID: {found: "AID of the standard", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384, pss}, "signature": {sha256}}},
		cardsim.MyEID: {found: "AID of the standard", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384, pss}, "signature": {sha256}}},
		cardsim.PIV: {found: "profile piv", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256, sha384, pss}, "signature": {sha256}}},
		cardsim.EstEID: {found: "profile esteid", readFew: 1, hidden: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha384}}},
		cardsim.FinEID: {found: "AID of the standard", readFew: 1, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha384}, "signature": {sha384}}},
		cardsim.Mixed: {found: "AID of the standard", readFew: 3, ways: map[string][]crypto.SignerOpts{
			"authentication": {sha256}, "signature": {sha256}, "company-authentication": {sha256}, "company-signature": {sha256}}},
	} {
		t.Run(name, func(t *testing.T) {
			k := kinds[name]
			card, err := smartkort.Driver{}.Open(t.Context(), connect(t, k.Card))
			if err != nil {
				t.Fatal(err)
			}
			few, err := card.AuthenticationCertificates(t.Context())
			if err != nil || len(few) != want.readFew {
				t.Errorf("%d certificates to authenticate with, %v, want %d", len(few), err, want.readFew)
			}
			certs, err := card.Certificates(t.Context())
			if err != nil || len(certs) != len(k.Certificates)-want.hidden {
				t.Fatalf("%d certificates of %d, %v", len(certs), len(k.Certificates), err)
			}
			if d, err := card.Describe(t.Context()); err != nil || d.Found != want.found {
				t.Errorf("found by %q, %v", d.Found, err)
			}
			for _, c := range certs {
				key := nameOf(t, k, c)
				signer, err := card.Signer(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				for _, opts := range want.ways[key] {
					if err := card.VerifyPIN(t.Context(), c, []byte(pinOf(name, c))); err != nil {
						t.Fatal(err)
					}
					digest := bytes.Repeat([]byte{0x5A}, opts.HashFunc().Size())
					signature, err := signer.Sign(rand.Reader, digest, opts)
					if err == nil {
						err = check(k.Certificates[key].PublicKey, digest, signature, opts)
					}
					if err != nil {
						t.Errorf("%s, %T %v: %v", key, opts, opts.HashFunc(), err)
					}
				}
				if opts := want.unknown[key]; opts != nil {
					if _, err := signer.Sign(rand.Reader, make([]byte, opts.HashFunc().Size()), opts); !errors.Is(err, smartkort.ErrUnsupportedKey) {
						t.Errorf("%s, %v: %v", key, opts, err)
					}
				}
			}
		})
	}
}

// TestInternalAuthenticate signs with the recipe of a profile.
func TestInternalAuthenticate(t *testing.T) {
	k := newKinds(t)[cardsim.T1]
	driver := withProfile(t, `[[sign]]
key = "rsa"
recipe = "internal-authenticate"
algorithm = 0x02`)
	l := connect(t, k.Card)
	card, err := driver.Open(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.LongPIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil || l.count(0x88) != 1 || l.count(0x2A) != 0 {
		t.Errorf("%v; INTERNAL AUTHENTICATE %d times", err, l.count(0x88))
	}
}

// TestUserConsent checks that a key that needs its PIN before each signature gets no
// second signing command without it.
func TestUserConsent(t *testing.T) {
	k := newKinds(t)[cardsim.TwoPIN]
	l := connect(t, k.Card)
	card, certs := open(t, l)
	i := slices.IndexFunc(certs, func(c smartkort.Certificate) bool { return c.Key.UserConsent == 1 })
	if i < 0 {
		t.Fatal("no key with user consent")
	}
	signer, err := card.Signer(t.Context(), certs[i])
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := card.VerifyPIN(t.Context(), certs[i], []byte(testpki.LongPIN)); err != nil {
			t.Fatal(err)
		}
		if _, err := signer.Sign(nil, make([]byte, 48), crypto.SHA384); err != nil {
			t.Fatal(err)
		}
		sent := len(l.sent)
		if _, err := signer.Sign(nil, make([]byte, 48), crypto.SHA384); !errors.Is(err, smartkort.ErrConsent) || len(l.sent) != sent {
			t.Errorf("a second signature: %v, %d commands", err, len(l.sent)-sent)
		}
	}
}

// TestChainedBlock checks that a card without extended length receives the block of
// a 2048-bit key as 255 + 1 bytes.
func TestChainedBlock(t *testing.T) {
	k := newKinds(t)[cardsim.TwoPIN]
	l := connect(t, k.Card)
	card, certs := open(t, l)
	i := slices.IndexFunc(certs, func(c smartkort.Certificate) bool { return c.Key.Bits == 2048 })
	if err := card.VerifyPIN(t.Context(), certs[i], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), certs[i])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, c := range l.sent {
		if c[1] == 0x2A {
			sizes = append(sizes, int(c[4]))
			if chained := c[0] == 0x10; chained != (len(sizes) == 1) {
				t.Errorf("piece %d in class %02X", len(sizes), c[0])
			}
		}
	}
	if !slices.Equal(sizes, []int{255, 1}) {
		t.Errorf("sent in pieces of %v", sizes)
	}
}

// TestPINsOfEveryKind checks that each kind reports wrong and blocked PINs in its own
// way, that the PUK unblocks the PIN, and that the PIN can be changed.
func TestPINsOfEveryKind(t *testing.T) {
	for name, k := range newKinds(t) {
		driver := smartkort.Driver{}
		if name == cardsim.NoAID || name == cardsim.Mixed || name == cardsim.FinEID { // their profiles do not say how to change a PIN
			driver = withProfile(t, "")
		}
		card, err := driver.Open(t.Context(), connect(t, k.Card))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := card.Certificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := certs[0]
		right, other, wrong := pinOf(name, c), "8642", "0000"
		if len(right) == 6 {
			other, wrong = "864213", "000000"
		}
		pin, err := card.PIN(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(what string, err error, tries int, puk bool) {
			t.Helper()
			e, ok := errors.AsType[*smartkort.PINError](err)
			if !ok || e.Tries != tries || e.PUK != puk {
				t.Errorf("%s: %s: %v, want %d tries", name, what, err, tries)
			}
		}
		must := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		for left := 2; left >= 0; left-- {
			expect("wrong", card.VerifyPIN(t.Context(), c, []byte(wrong)), left, false)
		}
		expect("right, but blocked", card.VerifyPIN(t.Context(), c, []byte(right)), 0, false)
		if n, known, err := card.PINTries(t.Context(), c); n != 0 || known == (name == cardsim.EstEID) || err != nil {
			t.Errorf("%s: blocked, but %d tries (%v, %v)", name, n, known, err)
		}
		expect("change when blocked", card.ChangePIN(t.Context(), pin, []byte(right), []byte(other)), 0, false)
		expect("unblock by a wrong PUK", card.UnblockPIN(t.Context(), pin, []byte("00000000"), []byte(other)), 2, true)
		must("unblock", card.UnblockPIN(t.Context(), pin, []byte(testpki.PUK), []byte(other)))
		must("the new PIN", card.VerifyPIN(t.Context(), c, []byte(other)))
		expect("change by a wrong PIN", card.ChangePIN(t.Context(), pin, []byte(wrong), []byte(right)), 2, false)
		must("change back", card.ChangePIN(t.Context(), pin, []byte(other), []byte(right)))
		must("the PIN that it had", card.VerifyPIN(t.Context(), c, []byte(right)))
		for _, bad := range []string{"", "1", "12a4", "123456789012345678"} {
			if err := card.ChangePIN(t.Context(), pin, []byte(right), []byte(bad)); !errors.Is(err, smartkort.ErrPINForm) {
				t.Errorf("%s: change to %q: %v", name, bad, err)
			}
		}
		if err := card.ChangePIN(t.Context(), pin, []byte(right), []byte(right)); !errors.Is(err, smartkort.ErrSamePIN) {
			t.Errorf("%s: change to itself: %v", name, err)
		}
	}
}

// TestNotPublic checks that the driver does not try what no public source documents
// for the Smartkort.
func TestNotPublic(t *testing.T) {
	p := newPKI(t)
	l := connect(t, p.Cards["valid"])
	card, certs := open(t, l)
	pin, err := card.PIN(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	sent := len(l.sent)
	for _, err := range []error{
		card.ChangePIN(t.Context(), pin, []byte(testpki.PIN), []byte("8642")),
		card.UnblockPIN(t.Context(), pin, []byte(testpki.PUK), []byte("8642")),
	} {
		if !errors.Is(err, smartkort.ErrNotPublic) || len(l.sent) != sent {
			t.Errorf("%v after %d commands", err, len(l.sent)-sent)
		}
	}
}

// TestVerifyPUKRecipe sends the PUK by itself, then the new PIN.
func TestVerifyPUKRecipe(t *testing.T) {
	k := newKinds(t)[cardsim.T1]
	l := connect(t, k.Card)
	card, err := withUnblock(t, "verify-puk").Open(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pin, err := card.PIN(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	// The software card only supports the other recipe, so compare the sent commands.
	err = card.UnblockPIN(t.Context(), pin, []byte(testpki.PUK), []byte("864213"))
	if !errors.Is(err, apdu.WrongP1P2) {
		t.Error(err)
	}
	verify, reset := l.sent[len(l.sent)-2], l.sent[len(l.sent)-1]
	if !bytes.Equal(verify, []byte{0x00, 0x20, 0x00, 0x82, 0x04, 0x12, 0x34, 0x56, 0x78}) ||
		!bytes.Equal(reset, []byte{0x00, 0x2C, 0x02, 0x81, 0x03, 0x86, 0x42, 0x13}) {
		t.Errorf("sent %X, then %X", verify, reset)
	}
}

// TestAuthorities checks that the issuers' certificates on the card are returned, and
// not the holder's.
func TestAuthorities(t *testing.T) {
	for name, k := range newKinds(t) {
		card, err := smartkort.Driver{}.Open(t.Context(), connect(t, k.Card))
		if err != nil {
			t.Fatal(err)
		}
		authorities, err := card.Authorities(t.Context())
		none := name == cardsim.PIV || name == cardsim.EstEID
		if err != nil || (len(authorities) == 0) != none {
			t.Fatalf("%s: %d authorities, %v", name, len(authorities), err)
		}
		for _, a := range authorities {
			if c, err := x509.ParseCertificate(a.DER); err != nil || !c.IsCA || slices.ContainsFunc(slices.Collect(maps.Values(k.Certificates)), c.Equal) {
				t.Errorf("%s: %v, %v", name, a.Label, err)
			}
		}
	}
}
