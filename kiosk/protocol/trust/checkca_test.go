package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

func TestCheckCA(t *testing.T) {
	sound := x509.Certificate{
		Version: 3, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign, PublicKey: &ecdsa.PublicKey{Curve: elliptic.P256()},
		SignatureAlgorithm: x509.ECDSAWithSHA256, RawIssuer: []byte("root"), RawSubject: []byte("ca"),
	}
	for want, change := range map[string]func(*x509.Certificate){
		"": func(*x509.Certificate) {},
		"this is no CA certificate (basicConstraints)":    func(c *x509.Certificate) { c.IsCA = false },
		"this is no CA certificate (basicConstraints) ":   func(c *x509.Certificate) { c.BasicConstraintsValid = false },
		"this is no CA certificate (basicConstraints)  ":  func(c *x509.Certificate) { c.Version = 1 },
		"this CA may not sign certificates (keyUsage)":    func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign },
		"this CA has a key of type *rsa.PrivateKey":       func(c *x509.Certificate) { c.PublicKey = &rsa.PrivateKey{} },
		"this CA's certificate is signed with ECDSA-SHA1": func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 },
		"this CA's certificate is signed with SHA1-RSA":   func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA },
		" ": func(c *x509.Certificate) { c.SignatureAlgorithm, c.RawIssuer = x509.SHA1WithRSA, c.RawSubject },
	} {
		c := sound
		change(&c)
		err := CheckCA(&c)
		if want := strings.TrimSpace(want); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// An identifier is one text of 1 to 64 printable characters.
func TestHolderIdentifiers(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, subject := range []Subject{SubjectSerialNumber, SubjectEmail} {
		d := &domain{Domain: Domain{Name: "firm", Subject: subject}}
		cert := func(texts ...string) *x509.Certificate {
			c := &x509.Certificate{Subject: pkix.Name{CommonName: "Kari"}}
			for _, text := range texts {
				if subject == SubjectEmail {
					c.EmailAddresses = append(c.EmailAddresses, text)
				} else {
					c.Subject.Names = append(c.Subject.Names, pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 5}, Value: text})
				}
			}
			return c
		}
		for _, text := range []string{"a", "a b", "!~", long} {
			if h, err := d.holder(cert(text)); err != nil || h.ID != "firm:"+text || h.Domain != "firm" || h.Name != "Kari" {
				t.Errorf("%s %q: %+v, %v", subject, text, h, err)
			}
		}
		for _, texts := range [][]string{nil, {""}, {"a", "b"}, {long + "a"}, {" a"}, {"a "}, {"å"}, {"a\n"}} {
			if h, err := d.holder(cert(texts...)); err == nil || err.Reason != kiosk.Identifier || h != (kiosk.Holder{}) {
				t.Errorf("%s %q: %+v, %v", subject, texts, h, err)
			}
		}
	}
	upper := &x509.Certificate{EmailAddresses: []string{"Kari@Example.COM"}}
	if h, err := (&domain{Domain: Domain{Name: "firm", Subject: SubjectEmail}}).holder(upper); err != nil || h.ID != "firm:kari@example.com" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestSerialContent(t *testing.T) {
	for n, want := range map[int64]string{0: "\x00", 1: "\x01", 0x7F: "\x7F", 0x80: "\x00\x80", 0xFF: "\x00\xFF", 0x100: "\x01\x00"} {
		if got := serialContent(big.NewInt(n)); string(got) != want {
			t.Errorf("%d is %x", n, got)
		}
	}
}

// A file that cannot be read as certificates is named in the error.
func TestReadCertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := newCA(t, key)
	dir := t.TempDir()
	path := filepath.Join(dir, "ca")
	for want, text := range map[string]string{
		"": string(ca.Raw), "cannot read certificate: x509": "x",
		`it holds a PEM block "PRIVATE KEY"`:  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"cannot read certificate: x509: malf": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		certs, err := ReadCertificates(path)
		if want == "" && (err != nil || len(certs) != 1 || !certs[0].Equal(ca)) {
			t.Errorf("%d certificates, %v", len(certs), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := ReadCertificates(dir); err == nil {
		t.Error("read a folder")
	}
	if _, err := (entry{}).certificates(dir, []string{"."}); err == nil || !strings.HasPrefix(err.Error(), "CA file .: ") {
		t.Errorf("a folder: %v", err)
	}
	if certs, err := (entry{}).certificates("/elsewhere", []string{filepath.Join(dir, "none")}); err == nil || !strings.Contains(err.Error(), "put it into "+dir+" (it is a certificate of the CA that issues the certificates)") {
		t.Errorf("an absolute name: %v, %v", certs, err)
	}
	if err := os.WriteFile(path, ca.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if certs, err := (entry{}).certificates("/elsewhere", []string{path, path}); err != nil || len(certs) != 2 {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
}

func TestRefusalUnwraps(t *testing.T) {
	cause := errors.New("x")
	if err := error(&Refusal{Reason: kiosk.Parse, Err: cause}); !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}
