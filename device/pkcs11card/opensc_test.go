//go:build pkcs11 && linux

package pkcs11card_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/pkcs11card"
	"smartkiosk/device/smartkort"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }

// openSCConf makes OpenSC use its driver MaskTech for the Smartkort, which signs as in
// ISO 7816-8, and disables OpenSC's cache.
const openSCConf = `app default {
	card_atr 3b:9f:96:40:0a:80:31:e0:6b:04:20:05:02:10:55:55:55:55:55:55 { driver = "MaskTech"; }
	framework pkcs15 { use_file_caching = false; }
}`

// openSC is OpenSC's own module.
func openSC(t *testing.T) *pkcs11card.Module {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/opensc-pkcs11.so")
	if err != nil || len(found) == 0 {
		t.Fatalf("no opensc-pkcs11.so: %v", err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "opensc.conf")
	if err := os.WriteFile(conf, []byte(openSCConf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	t.Setenv("OPENSC_CONF", conf)
	return load(t, found[0])
}

// TestOpenSC makes a visit with a software card in a PC/SC reader.
func TestOpenSC(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pcscd := pcsctest.Start(t)
	m := openSC(t)
	if _, err := m.Open(pcsctest.Reader); !errors.Is(err, smartkort.ErrUnknownCard) {
		t.Errorf("an empty reader: %v", err)
	}
	remove := pcscd.Insert(t, pki.Cards["valid"])
	card, certs := open(t, m, pcsctest.Reader)
	own := pki.Holders["valid"].Authentication.Certificate
	i := slices.IndexFunc(certs, func(c pkcs11card.Certificate) bool { return slices.Equal(c.DER, own.Raw) })
	if i < 0 {
		t.Fatalf("the certificate is not among %d", len(certs))
	}
	cert := certs[i]
	if pin, err := card.PIN(t.Context(), cert); err != nil || pin.MinLength != 4 || pin.Tries != -1 || pin.OnReader {
		t.Errorf("the PIN is %+v, %v", pin, err)
	}
	expectWrong(t, card, cert, -1)
	expectTries(t, pki, testpki.Tries-1)
	if err := card.VerifyPIN(t.Context(), cert, []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), cert)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil || rsa.VerifyPKCS1v15(own.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature) != nil {
		t.Errorf("the signature: %v", err)
	}
	remove()
	if _, err := signer.Sign(nil, digest[:], crypto.SHA256); err == nil {
		t.Error("a card that is gone has signed")
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}
	expectTries(t, pki, testpki.Tries)
}

// TestTries blocks a PIN. Each spent try was made here, the last one is announced, and
// a blocked PIN has another error than a wrong one.
func TestTries(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pcsctest.Start(t).Insert(t, pki.Cards["valid"])
	m := openSC(t)
	for left := testpki.Tries - 1; left >= 0; left-- {
		card, certs := open(t, m, pcsctest.Reader)
		told := left
		if left > 1 {
			told = -1
		}
		expectWrong(t, card, certs[0], told)
		expectTries(t, pki, left)
		if pin, err := card.PIN(t.Context(), certs[0]); err != nil || pin.Tries != told {
			t.Errorf("%d tries left: the module tells %+v, %v", left, pin, err)
		}
		if err := card.Close(); err != nil {
			t.Error(err)
		}
	}
	card, certs := open(t, m, pcsctest.Reader)
	err = card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN))
	if wrong, ok := errors.AsType[*smartkort.PINError](err); !ok || wrong.Tries != 0 {
		t.Errorf("the right PIN of a card that is blocked: %v", err)
	}
}

func expectWrong(t *testing.T, card *pkcs11card.Card, cert pkcs11card.Certificate, tries int) {
	t.Helper()
	err := card.VerifyPIN(t.Context(), cert, []byte("0000"))
	if wrong, ok := errors.AsType[*smartkort.PINError](err); !ok || wrong.Tries != tries {
		t.Errorf("a wrong PIN: %v, want %d tries", err, tries)
	}
}

// expectTries looks into the card.
func expectTries(t *testing.T, pki *testpki.PKI, want int) {
	t.Helper()
	if left := pki.Cards["valid"].Image().PINs["pin"].Left; left != want {
		t.Errorf("the card has %d tries left, want %d", left, want)
	}
}
