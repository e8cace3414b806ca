//go:build pkcs11 && linux

package pkcs11card_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/pkcs11card"
	"smartkiosk/device/smartkort"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

const label = "Software card"

// softToken creates a SoftHSM token with these keys and a certificate for each. The
// first is key 01.
func softToken(t *testing.T, keys ...crypto.Signer) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := errors.Join(os.Mkdir(tokens, 0o700), os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	tool(t, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", testpki.PIN, "--so-pin", testpki.PIN)
	for i, key := range keys {
		id := "0" + strconv.Itoa(i+1)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "key.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		tool(t, "softhsm2-util", "--import", file, "--token", label, "--label", "Key", "--id", id, "--pin", testpki.PIN)
		writeCertificate(t, dir, id, certificate(t, key, false))
	}
}

// certificate returns a self-signed certificate of a key, DER.
func certificate(t *testing.T, key crypto.Signer, authority bool) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: authority, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writeCertificate(t *testing.T, dir, id string, der []byte) {
	t.Helper()
	file := filepath.Join(dir, "certificate.der")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "pkcs11-tool", "--module", softHSM, "--token-label", label, "--login", "--pin", testpki.PIN,
		"--write-object", file, "--type", "cert", "--id", id, "--label", "Certificate")
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func load(t *testing.T, path string) *pkcs11card.Module {
	t.Helper()
	m, err := pkcs11card.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// open opens the card and reads its certificates.
func open(t *testing.T, m *pkcs11card.Module, match string) (*pkcs11card.Card, []pkcs11card.Certificate) {
	t.Helper()
	card, err := m.Open(match)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = card.Close() })
	certs, err := card.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return card, certs
}

func testKeys(t *testing.T) []crypto.Signer {
	t.Helper()
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []crypto.Signer{short, p256, p384}
}

// TestSoftHSM signs with keys of every kind, after the PIN and not before.
func TestSoftHSM(t *testing.T) {
	softToken(t, testKeys(t)...)
	card, certs := open(t, load(t, softHSM), "SoftHSM")
	if len(certs) != 3 {
		t.Fatalf("%d certificates", len(certs))
	}
	pin, err := card.PIN(t.Context(), certs[0])
	if err != nil || pin.MinLength != 4 || pin.MaxLength < 8 || pin.Tries != -1 || pin.OnReader {
		t.Errorf("the PIN is %+v, %v", pin, err)
	}
	if _, err := card.Signer(t.Context(), certs[0]); !errors.Is(err, smartkort.ErrUnsupportedKey) {
		t.Errorf("a key before its PIN: %v", err)
	}
	err = card.VerifyPIN(t.Context(), certs[0], []byte("0000"))
	if wrong, ok := errors.AsType[*smartkort.PINError](err); !ok || wrong.Tries != -1 {
		t.Errorf("a wrong PIN: %v", err)
	}
	if err := card.VerifyPIN(t.Context(), certs[0], nil); !errors.Is(err, smartkort.ErrPINForm) {
		t.Errorf("no PIN: %v", err)
	}
	digits := []byte(testpki.PIN)
	if err := card.VerifyPIN(t.Context(), certs[0], digits); err != nil || string(digits) != testpki.PIN {
		t.Fatalf("the right PIN: %v", err)
	}
	// Cryptoki does not check a PIN while a user is logged in.
	err = card.VerifyPIN(t.Context(), certs[0], []byte("0000"))
	if err == nil || errors.As(err, new(*smartkort.PINError)) {
		t.Errorf("a PIN that is not looked at: %v", err)
	}
	sum256, sum512 := sha256.Sum256([]byte("x")), sha512.Sum512([]byte("x"))
	for _, cert := range certs {
		signer, err := card.Signer(t.Context(), cert)
		if err != nil {
			t.Fatal(err)
		}
		switch public := signer.Public().(type) {
		case *rsa.PublicKey:
			signature, err := signer.Sign(nil, sum512[:], crypto.SHA512)
			if err != nil || rsa.VerifyPKCS1v15(public, crypto.SHA512, sum512[:], signature) != nil {
				t.Errorf("PKCS #1 v1.5: %v", err)
			}
			signature, err = signer.Sign(nil, sum256[:], &rsa.PSSOptions{Hash: crypto.SHA256})
			if err != nil || rsa.VerifyPSS(public, crypto.SHA256, sum256[:], signature, nil) != nil {
				t.Errorf("PSS: %v", err)
			}
		case *ecdsa.PublicKey:
			signature, err := signer.Sign(nil, sum512[:], crypto.SHA512) // longer than the curve
			if err != nil || !ecdsa.VerifyASN1(public, sum512[:], signature) {
				t.Errorf("%s: %v", public.Params().Name, err)
			}
		}
		if _, err := signer.Sign(nil, sum256[:], crypto.SHA1); !errors.Is(err, smartkort.ErrUnsupportedKey) {
			t.Errorf("SHA-1: %v", err)
		}
	}
}

// A card can be opened once at a time, and after Close no PIN is verified.
func TestClose(t *testing.T) {
	softToken(t, testKeys(t)[1])
	m := load(t, softHSM)
	card, certs := open(t, m, "")
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(""); err == nil {
		t.Error("the card was opened twice")
	}
	for range 2 {
		if err := card.Close(); err != nil {
			t.Error(err)
		}
	}
	card, certs = open(t, m, "")
	if _, err := card.Signer(t.Context(), certs[0]); !errors.Is(err, smartkort.ErrUnsupportedKey) {
		t.Errorf("the key is still to be had: %v", err)
	}
}

// The errors of unsupported keys and certificates say what is not supported.
func TestOddCards(t *testing.T) {
	keys := testKeys(t)
	softToken(t, keys[1])
	dir := t.TempDir()
	writeCertificate(t, dir, "02", certificate(t, keys[2], false)) // without its key
	writeCertificate(t, dir, "03", certificate(t, keys[2], true))  // an authority's
	m := load(t, softHSM)
	card, certs := open(t, m, "")
	if len(certs) != 2 {
		t.Fatalf("%d certificates", len(certs))
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	for _, cert := range certs {
		_, err := card.Signer(t.Context(), cert)
		if alone := bytes.Equal(cert.ID, []byte{2}); alone != errors.Is(err, smartkort.ErrUnsupportedKey) {
			t.Errorf("certificate %X: %v", cert.ID, err)
		}
	}
	if err := card.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open("no such reader"); !errors.Is(err, smartkort.ErrUnknownCard) {
		t.Errorf("another reader: %v", err)
	}
}

// Sign fails if the certificate belongs to another key or the module signs with
// another key.
func TestWrongSignature(t *testing.T) {
	keys := testKeys(t)
	softToken(t, keys[1])
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong := certificate(t, other, false)
	writeCertificate(t, t.TempDir(), "01", wrong)
	card, certs := open(t, load(t, softHSM), "")
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	for _, cert := range certs {
		signer, err := card.Signer(t.Context(), cert)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte("x"))
		_, err = signer.Sign(nil, digest[:], crypto.SHA256)
		if lies := bytes.Equal(cert.DER, wrong); lies != (err != nil && strings.Contains(err.Error(), "does not match the certificate's key")) {
			t.Errorf("lies %v: %v", lies, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/no/such/module.so": "cannot load PKCS #11 module /no/such/module.so: ",
		text:                 "too short",
		"libm.so.6":          "C_GetFunctionList",
	} {
		if _, err := pkcs11card.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
