//go:build pkcs11 && linux

package daemon

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// softToken makes a SoftHSM token with the key and certificate of a card.
func softToken(t *testing.T, c testpki.Credential) {
	t.Helper()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"softhsm2.conf": []byte("directories.tokendir = " + dir + "\n"),
		"key.pem":       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"cert.der":      c.Certificate.Raw,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOFTHSM2_CONF", filepath.Join(dir, "softhsm2.conf"))
	for _, args := range [][]string{
		{"softhsm2-util", "--init-token", "--free", "--label", "card", "--pin", testpki.PIN, "--so-pin", testpki.PIN},
		{"softhsm2-util", "--import", "key.pem", "--token", "card", "--label", "key", "--id", "01", "--pin", testpki.PIN},
		{"pkcs11-tool", "--module", softHSM, "--token-label", "card", "--login", "--pin", testpki.PIN,
			"--write-object", "cert.der", "--type", "cert", "--id", "01"},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
}

// resets is a slot that counts the resets of its card.
type resets struct {
	*cardsim.Slot
	n int
}

func (r *resets) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := r.Slot.Connect(ctx)
	if err == nil {
		r.n++
	}
	return conn, err
}

// TestModule performs the steps of a visit with a module instead of the driver.
func TestModule(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	own := pki.Holders["valid"].Authentication
	softToken(t, own)
	s := &resets{Slot: cardsim.NewSlot("slot")}
	s.Insert(pki.Cards["valid"])
	slots, _, err := openCards(config.Reader{PKCS11: softHSM, Match: "SoftHSM"}, s, smartkort.Driver{})
	if err != nil {
		t.Fatal(err)
	}
	card, err := slots.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.Certificates(t.Context())
	if err != nil || len(certs) != 1 || string(certs[0]) != string(own.Certificate.Raw) {
		t.Fatalf("%d certificates, %v", len(certs), err)
	}
	if status, err := card.PINStatus(t.Context(), 0); err != nil || status.Min != 4 || status.TriesKnown || status.OnReader {
		t.Errorf("the PIN is %+v, %v", status, err)
	}
	err = card.VerifyPIN(t.Context(), 0, []byte("0000"))
	if wrong, ok := errors.AsType[*terminal.PINError](err); !ok || wrong.Status.TriesKnown {
		t.Errorf("a wrong PIN: %v", err)
	}
	if err := card.VerifyPIN(t.Context(), 0, []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil || rsa.VerifyPKCS1v15(&own.Key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		t.Errorf("the signature: %v", err)
	}
	if err := card.Close(); err != nil || s.n != 1 {
		t.Errorf("the card was reset %d times, %v", s.n, err)
	}
	s.Remove()
	if card, err = slots.Open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := card.Close(); err != nil {
		t.Errorf("a card that is gone: %v", err)
	}
}

// TestModuleErrors checks the errors for a missing module and for a card that the
// module does not know.
func TestModuleErrors(t *testing.T) {
	s := cardsim.NewSlot("slot")
	if _, _, err := openCards(config.Reader{PKCS11: "/no/such/module.so"}, s, smartkort.Driver{}); err == nil {
		t.Error("a module that is not there")
	}
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	softToken(t, pki.Holders["valid"].Authentication)
	slots, _, err := openCards(config.Reader{PKCS11: softHSM, Match: "another reader"}, s, smartkort.Driver{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = slots.Open(t.Context(), "")
	if unknown, ok := errors.AsType[*terminal.CardError](err); !ok || unknown.Reason != kiosk.CardUnknown {
		t.Errorf("a card that the module does not know: %v", err)
	}
}
