package scproxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	first, err := Certificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Certificate(dir)
	if err != nil || !bytes.Equal(first.Certificate[0], second.Certificate[0]) {
		t.Errorf("the second start has another certificate: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "scproxy.pem")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "scproxy.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(public)
	if block == nil || len(rest) != 0 {
		t.Fatalf("scproxy.crt: %s", public)
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.IsCA || !ca.MaxPathLenZero || !ca.PermittedDNSDomainsCritical || len(ca.PermittedDNSDomains) != 1 || len(ca.PermittedIPRanges) != 1 {
		t.Errorf("the CA %+v, %v", ca, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("left: %v", files)
	}
	private, err := os.ReadFile(filepath.Join(dir, "scproxy.pem"))
	if key, ok := first.PrivateKey.(*ecdsa.PrivateKey); err != nil || !ok || key.PublicKey.Equal(ca.PublicKey) || strings.Count(string(private), "PRIVATE KEY") != 2 {
		t.Errorf("the CA's key is kept: %v", err)
	}
	c := first.Leaf
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || c.VerifyHostname("127.0.0.1") != nil || c.VerifyHostname("localhost") != nil {
		t.Errorf("CA %v, usage %b, for %v %v", c.IsCA, c.KeyUsage, c.IPAddresses, c.DNSNames)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, year := range []int{2021, 2026, 2049} { // a Pi's clock may be in the past
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1", CurrentTime: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
			t.Errorf("in %d: %v", year, err)
		}
	}

	if _, err := Certificate(filepath.Join(dir, "nowhere")); err == nil || !strings.HasPrefix(err.Error(), "cannot get certificate for SCProxy: ") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scproxy.pem"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Certificate(dir); err == nil || !strings.HasPrefix(err.Error(), "cannot use certificate "+dir) {
		t.Error(err)
	}
}
