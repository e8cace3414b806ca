package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

func newCertificate(t *testing.T, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestFormerCertificates checks that the state folder remembers the certificates that the
// kiosk has used, the newest of them, and that garbage in the file does not stop the kiosk.
func TestFormerCertificates(t *testing.T) {
	state := t.TempDir()
	var used []*x509.Certificate
	for i := range hubapi.MaxFormer + 3 {
		used = append(used, newCertificate(t, int64(i)))
		for range 2 { // a restart with the same certificate changes nothing
			former, err := formerCertificates(state, used[i])
			if err != nil || len(former) != min(i, hubapi.MaxFormer) {
				t.Fatalf("after %d certificates: %d former, %v", i, len(former), err)
			}
			if n := len(former); n > 0 && !bytes.Equal(former[n-1], used[i-1].Raw) {
				t.Fatalf("the newest former certificate is not number %d", i-1)
			}
		}
	}
	info, err := os.Stat(filepath.Join(state, certificatesFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(state, certificatesFile), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if former, err := formerCertificates(state, used[0]); err != nil || len(former) != 0 {
		t.Errorf("from garbage: %d former, %v", len(former), err)
	}
	// A kiosk that goes back to an earlier certificate does not send it as a former one.
	for _, back := range []int{1, 0} {
		if former, err := formerCertificates(state, used[back]); err != nil || len(former) != 1 || bytes.Equal(former[0], used[back].Raw) {
			t.Errorf("back to certificate %d: %d former, %v", back, len(former), err)
		}
	}
}
