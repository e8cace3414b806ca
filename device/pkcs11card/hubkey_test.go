//go:build pkcs11 && linux

package pkcs11card_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/pkcs11card"
)

// importKey puts a key into the software token.
func importKey(t *testing.T, id, name string, key crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "softhsm2-util", "--import", file, "--token", label, "--label", name, "--id", id, "--pin", testpki.PIN)
}

func pin() ([]byte, error) { return []byte(testpki.PIN), nil }

// TestToken signs with keys in a SoftHSM token, and sees keys that are added and deleted
// while the token is open.
func TestToken(t *testing.T) {
	softToken(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	importKey(t, "11", "sandbox-b", r)
	importKey(t, "12", "production-a", ec)
	m, err := pkcs11card.Load(softHSM)
	if err != nil {
		t.Fatal(err)
	}
	token, err := m.OpenToken(label, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	keys, err := token.Keys("sandbox-")
	if err != nil || len(keys) != 1 || keys[0].Label != "sandbox-b" || !r.PublicKey.Equal(keys[0].Public()) {
		t.Fatalf("%v, %v", keys, err)
	}
	digest := sha256.Sum256([]byte("to be signed"))
	signature, err := keys[0].Sign(nil, digest[:], crypto.SHA256)
	if err != nil || rsa.VerifyPKCS1v15(&r.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		t.Errorf("RSA: %v", err)
	}
	importKey(t, "13", "sandbox-a", ec)
	token.Close() // as if it was unplugged: it opens again
	keys, err = token.Keys("sandbox-")
	if err != nil || len(keys) != 2 || keys[0].Label != "sandbox-a" || !ec.PublicKey.Equal(keys[0].Public()) {
		t.Fatalf("after another key: %v, %v", keys, err)
	}
	signature, err = keys[0].Sign(nil, digest[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(&ec.PublicKey, digest[:], signature) {
		t.Errorf("ECDSA: %v", err)
	}
	if _, err := keys[0].Sign(nil, digest[:5], crypto.SHA256); err == nil {
		t.Error("a digest that is too short is signed")
	}
	if none, err := token.Keys("none"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestTokenErrors(t *testing.T) {
	softToken(t)
	m, err := pkcs11card.Load(softHSM)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.OpenToken("Another", pin); err == nil || !strings.Contains(err.Error(), "no token with this label") {
		t.Errorf("another label: %v", err)
	}
	if _, err := m.OpenToken(label, func() ([]byte, error) { return []byte("0000"), nil }); err == nil || !strings.Contains(err.Error(), "does not accept the PIN") {
		t.Errorf("wrong PIN: %v", err)
	}
	if _, err := m.OpenToken(label, func() ([]byte, error) { return nil, os.ErrNotExist }); err == nil {
		t.Error("without a PIN it opens")
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	importKey(t, "11", "odd", p521)
	token, err := m.OpenToken(label, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if _, err := token.Keys("odd"); err == nil || !strings.Contains(err.Error(), "neither P-256 nor P-384") {
		t.Errorf("a key on P-521: %v", err)
	}
}
