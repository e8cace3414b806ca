package hubapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

// bundle makes a hub's folder with one consumer. consumer is the path of its bundle.
func bundle(t *testing.T) (dir, consumer string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "hub")
	if err := hub.Init(dir, hub.InitOptions{Listen: "127.0.0.1:8443", URL: "https://127.0.0.1:8443"}); err != nil {
		t.Fatal(err)
	}
	consumer, err := hub.AddConsumer(dir, "office")
	if err != nil {
		t.Fatal(err)
	}
	return dir, consumer
}

func TestLoadCredentials(t *testing.T) {
	_, b := bundle(t)
	c, err := hubapi.LoadCredentials(filepath.Join(b, "hub-ca.pem"), filepath.Join(b, "consumer.pem"), filepath.Join(b, "consumer.key"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}); c.Identity != want || c.Key == nil {
		t.Errorf("got %+v", c)
	}
}

func TestLoadCredentialsRefuses(t *testing.T) {
	dir, b := bundle(t)
	_, other := bundle(t)
	ca, cert, key := filepath.Join(b, "hub-ca.pem"), filepath.Join(b, "consumer.pem"), filepath.Join(b, "consumer.key")
	copied := func(from string, mode os.FileMode) (to string) {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(t.TempDir(), "copy")
		if err := errors.Join(os.WriteFile(to, text, mode), os.Chmod(to, mode)); err != nil {
			t.Fatal(err)
		}
		return to
	}
	cert600, key640 := copied(cert, 0o600), copied(key, 0o640)
	for _, tt := range []struct{ what, ca, cert, key, want string }{
		{"no CA", filepath.Join(b, "none"), cert, key, "cannot read the hub's CA"},
		{"a key for the CA", key, cert, key, "no PEM certificate in"},
		{"no certificate", ca, filepath.Join(b, "none"), key, "cannot read the certificate"},
		{"another's key", ca, cert, filepath.Join(other, "consumer.key"), "the private key is not this certificate's"},
		{"no certificate in PEM", ca, key, key, "the file holds no certificate in PEM"},
		{"no key", ca, cert, filepath.Join(b, "none"), "cannot read key: open"},
		{"a certificate for the key", ca, cert, cert600, "it holds no private key in PEM"},
		{"a key for all to read", ca, cert, key640, "(mode 0640): chmod 600 it, and make a new key if somebody may have"},
		{"the hub's own certificate", ca, filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), "names no kiosk, consumer or operator"},
	} {
		if _, err := hubapi.LoadCredentials(tt.ca, tt.cert, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.what, err, tt.want)
		}
	}
}

// ParseKey accepts every form that common tools write.
func TestParseKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	for name, text := range map[string][]byte{
		"SEC 1":                  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
		"SEC 1 after parameters": append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...),
		"PKCS #8":                pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	} {
		if got, err := hubapi.ParseKey(text); err != nil || !key.PublicKey.Equal(got.Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range [][]byte{nil, []byte("x"), parameters} {
		if _, err := hubapi.ParseKey(text); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

// A renewed certificate takes the place of the old one on new connections, if it is for the
// same identity and key.
func TestReplaceCertificate(t *testing.T) {
	dir, b := bundle(t)
	ca, cert, key := filepath.Join(b, "hub-ca.pem"), filepath.Join(b, "consumer.pem"), filepath.Join(b, "consumer.key")
	c, err := hubapi.LoadCredentials(ca, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := hub.AddConsumer(dir, "shop")
	if err != nil {
		t.Fatal(err)
	}
	before, err := hubapi.ReadCertificate(cert)
	if err != nil || !before.Equal(c.Certificate()) {
		t.Fatalf("%v", err)
	}
	foreign, err := hubapi.ReadCertificate(filepath.Join(other, "consumer.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sameName, err := hubapi.ReadCertificate(func() string { _, b := bundle(t); return filepath.Join(b, "consumer.pem") }())
	if err != nil {
		t.Fatal(err)
	}
	for want, cert := range map[string]*x509.Certificate{"it is not for urn:smartkiosk:consumer:office": foreign, "it is for another key": sameName} {
		if err := c.Replace(cert); err == nil || !strings.Contains(err.Error(), want) || !c.Certificate().Equal(before) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	renewed := *before
	if err := c.Replace(&renewed); err != nil || c.Certificate() != &renewed {
		t.Errorf("replaced: %v", err)
	}
	for name, get := range map[string]func() (*tls.Certificate, error){
		"server": func() (*tls.Certificate, error) { return c.TLSCertificate(nil) },
		"client": func() (*tls.Certificate, error) { return c.TLS.GetClientCertificate(nil) },
	} {
		if got, err := get(); err != nil || got.Leaf != &renewed || got.PrivateKey == nil {
			t.Errorf("as a %s it presents %v, %v", name, got, err)
		}
	}
	for _, path := range []string{key, filepath.Join(b, "none")} {
		if _, err := hubapi.ReadCertificate(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
