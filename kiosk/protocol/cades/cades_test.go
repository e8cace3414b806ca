package cades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	noon     = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	document = []byte("I order 2 boxes of pens.\nPayee: Example AS. Amount: NOK 120.00. Reference: 4711.\n")
)

// party is a key with a certificate.
type party struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate. Without a CA it is a CA itself.
func issue(t testing.TB, key crypto.Signer, ca *party, change func(*x509.Certificate)) party {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Country: []string{"NO"}, CommonName: "Kari Test"},
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageContentCommitment,
	}
	parent, by := template, key
	if ca == nil {
		template.Subject.CommonName, template.IsCA, template.BasicConstraintsValid, template.KeyUsage = "Test CA", true, true, x509.KeyUsageCertSign
	} else {
		parent, by = ca.cert, ca.key
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return party{key, cert}
}

func digestOf(text []byte) func(crypto.Hash) []byte {
	return func(h crypto.Hash) []byte {
		sum := h.New()
		sum.Write(text)
		return sum.Sum(nil)
	}
}

func (p party) sign(t testing.TB, text []byte, o Options) []byte {
	t.Helper()
	h, err := Hash(p.cert)
	if err != nil {
		t.Fatal(err)
	}
	der, err := Sign(p.key, p.cert, digestOf(text)(h), o)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pool(c *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c)
	return p
}

// TestOpenSSL lets openssl check signatures with -cades, without which it does not look
// at the certificate's hash.
func TestOpenSSL(t *testing.T) {
	ca := issue(t, ecdsaKey(t, elliptic.P256()), nil, nil)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	caFile := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}))
	openssl := func(sig []byte, more ...string) (string, error) {
		args := append([]string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", write("sig.der", sig),
			"-CAfile", caFile, "-purpose", "any", "-attime", "1795348800"}, more...)
		out, err := exec.Command("openssl", args...).CombinedOutput()
		return string(out), err
	}
	for name, key := range map[string]crypto.Signer{"rsa": rsaKey(t, 2048), "p256": ecdsaKey(t, elliptic.P256()), "p384": ecdsaKey(t, elliptic.P384())} {
		p := issue(t, key, &ca, nil)
		for mode, o := range map[string]Options{
			"plain": {}, "with time": {Time: noon}, "with chain": {Chain: []*x509.Certificate{ca.cert}},
		} {
			sig := p.sign(t, document, o)
			if out, err := openssl(sig, "-content", write("doc", document)); err != nil || !strings.Contains(out, "CAdES Verification successful") && !strings.Contains(out, "Verification successful") {
				t.Errorf("%s %s: openssl refuses it: %v\n%s", name, mode, err, out)
			}
			got, err := Verify(sig, digestOf(document), pool(ca.cert), noon)
			if err != nil || !got.Certificate.Equal(p.cert) || !got.Time.Equal(o.Time) {
				t.Errorf("%s %s: %+v, %v", name, mode, got, err)
			}
			if out, err := openssl(sig, "-content", write("other", []byte("another document"))); err == nil {
				t.Errorf("%s %s: openssl accepts another document\n%s", name, mode, out)
			}
		}
		embedded := p.sign(t, document, Options{Content: document})
		if out, err := openssl(embedded, "-out", filepath.Join(dir, "out")); err != nil {
			t.Errorf("%s: openssl refuses an embedded document: %v\n%s", name, err, out)
		} else if text, _ := os.ReadFile(filepath.Join(dir, "out")); !bytes.Equal(text, document) {
			t.Errorf("%s: the embedded document is %q", name, text)
		}
	}
}

// TestVerifyRefuses checks the reason for each signature that is not accepted.
func TestVerifyRefuses(t *testing.T) {
	ca := issue(t, ecdsaKey(t, elliptic.P256()), nil, nil)
	stranger := issue(t, ecdsaKey(t, elliptic.P256()), nil, func(c *x509.Certificate) { c.Subject.CommonName = "Other CA" })
	key := ecdsaKey(t, elliptic.P256())
	good := issue(t, key, &ca, nil)
	twin := issue(t, key, &ca, func(c *x509.Certificate) { c.SerialNumber = good.cert.SerialNumber; c.Subject.CommonName = "Ola Test" })
	sound := good.sign(t, document, Options{})
	replaced := func(from, to []byte) []byte {
		if !bytes.Contains(sound, from) {
			t.Fatal("nothing to replace")
		}
		return bytes.ReplaceAll(sound, from, to)
	}
	flip := bytes.Clone(sound)
	flip[len(flip)-3] ^= 1
	for name, c := range map[string]struct {
		sig  []byte
		text []byte
		at   time.Time
		want error
	}{
		"sound":                  {sound, document, noon, nil},
		"altered document":       {sound, append(bytes.Clone(document), ' '), noon, ErrAltered},
		"altered signature":      {flip, document, noon, ErrSignature},
		"another certificate":    {replaced(good.cert.Raw, twin.cert.Raw), document, noon, ErrMalformed},
		"expired":                {sound, document, noon.AddDate(2, 0, 0), ErrExpired},
		"not yet valid":          {sound, document, noon.AddDate(-2, 0, 0), ErrExpired},
		"unknown issuer":         {issue(t, key, &stranger, nil).sign(t, document, Options{}), document, noon, ErrNotTrusted},
		"for authentication":     {issue(t, key, &ca, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }).sign(t, document, Options{}), document, noon, ErrKeyUsage},
		"with content":           {good.sign(t, document, Options{Content: document}), document, noon, ErrMalformed},
		"empty":                  {nil, document, noon, ErrMalformed},
		"cut":                    {sound[:len(sound)-1], document, noon, ErrMalformed},
		"followed by more":       {append(bytes.Clone(sound), 0), document, noon, ErrMalformed},
		"too long":               {make([]byte, MaxSize+1), document, noon, ErrMalformed},
		"no signing-certificate": {replaced([]byte{0x09, 0x10, 0x02, 0x2f}, []byte{0x09, 0x10, 0x02, 0x30}), document, noon, ErrMalformed},
	} {
		_, err := Verify(c.sig, digestOf(c.text), pool(ca.cert), c.at)
		if name == "another certificate" && len(good.cert.Raw) == len(twin.cert.Raw) {
			c.want = ErrCertificate
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestSignRefuses checks what Sign does not sign with or for.
func TestSignRefuses(t *testing.T) {
	ca := issue(t, ecdsaKey(t, elliptic.P256()), nil, nil)
	p := issue(t, ecdsaKey(t, elliptic.P256()), &ca, nil)
	weak := issue(t, rsaKey(t, 1024), &ca, nil)
	odd := issue(t, ecdsaKey(t, elliptic.P521()), &ca, nil)
	digest := digestOf(document)(crypto.SHA256)
	for want, sign := range map[string]func() ([]byte, error){
		"cannot sign: the certificate is for another key": func() ([]byte, error) {
			return Sign(ecdsaKey(t, elliptic.P256()), p.cert, digest, Options{})
		},
		"cannot sign: a digest of 31 bytes is not one of SHA-256": func() ([]byte, error) { return Sign(p.key, p.cert, digest[1:], Options{}) },
		"cannot sign: an RSA key of 1024 bits is too short":       func() ([]byte, error) { return Sign(weak.key, weak.cert, digest, Options{}) },
		"cannot sign: the key is neither RSA nor ECDSA on P-256 or P-384": func() ([]byte, error) {
			return Sign(odd.key, odd.cert, digest, Options{})
		},
	} {
		if _, err := sign(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	ca := issue(f, ecdsaKey(f, elliptic.P256()), nil, nil)
	p := issue(f, ecdsaKey(f, elliptic.P256()), &ca, nil)
	sound := p.sign(f, document, Options{Time: noon})
	roots := pool(ca.cert)
	f.Add(sound)
	f.Add(p.sign(f, document, Options{Content: document}))
	f.Fuzz(func(t *testing.T, der []byte) {
		if s, err := Verify(der, digestOf(document), roots, noon); err == nil && !s.Certificate.Equal(p.cert) {
			t.Errorf("accepted a signature by %v", s.Certificate.Subject)
		}
	})
}
