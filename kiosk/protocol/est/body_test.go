package est

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func certificate(t testing.TB) *x509.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// What we write openssl reads, and the reverse.
func TestCertsOnlyWithOpenSSL(t *testing.T) {
	first, second := certificate(t), certificate(t)
	ours, err := CertsOnly(first, second)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	printed, err := exec.Command("openssl", "pkcs7", "-inform", "DER", "-in", write("ours.p7", ours), "-print_certs").CombinedOutput()
	if err != nil || strings.Count(string(printed), "BEGIN CERTIFICATE") != 2 {
		t.Errorf("openssl: %v, %s", err, printed)
	}
	theirs, err := exec.Command("openssl", "crl2pkcs7", "-nocrl", "-certfile", write("certs.pem", printed), "-outform", "DER").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"ours": ours, "openssl's": theirs} {
		certs, err := ReadCertsOnly(der)
		if err != nil || len(certs) != 2 || !certs[0].Equal(first) || !certs[1].Equal(second) {
			t.Errorf("%s: %d certificates, %v", name, len(certs), err)
		}
	}
}

func TestReadCertsOnlyRefuses(t *testing.T) {
	cert := certificate(t)
	good, err := CertsOnly(cert)
	if err != nil {
		t.Fatal(err)
	}
	none, err := CertsOnly()
	if err != nil {
		t.Fatal(err)
	}
	many, err := CertsOnly(cert, cert, cert, cert, cert, cert, cert, cert, cert)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := CertsOnly(&x509.Certificate{Raw: []byte{0x30, 0x00}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		der  []byte
		want string
	}{
		"empty":            {nil, "not a certs-only CMS message"},
		"a certificate":    {cert.Raw, "not a certs-only CMS message"},
		"cut short":        {good[:len(good)-1], "not a certs-only CMS message"},
		"something after":  {append(bytes.Clone(good), 0), "not a certs-only CMS message"},
		"no certificate":   {none, "has no certificate"},
		"nine":             {many, "not a certs-only CMS message"},
		"no X.509":         {damaged, "has a certificate that cannot be read"},
		"another CMS type": {bytes.Replace(good, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03}, 1), "not a certs-only CMS message"},
	} {
		if _, err := ReadCertsOnly(tt.der); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"aGVs\r\nbG8=\r\n": "hello", "aGVsbG8=": "hello", " aG Vs bG8= ": "hello", "": "",
		"aGVsbG8": "", "aGVsbG9=": "", "%": "",
	} {
		got, err := Decode([]byte(text))
		if string(got) != want || (err == nil) != (want != "" || text == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	long := bytes.Repeat([]byte("certificate"), 50)
	if got, err := Decode(Encode(long)); err != nil || !bytes.Equal(got, long) {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzReadCertsOnly(f *testing.F) {
	good, err := CertsOnly(certificate(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		certs, err := ReadCertsOnly(der)
		if err != nil {
			return
		}
		again, err := CertsOnly(certs...)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := ReadCertsOnly(again); err != nil || len(read) != len(certs) {
			t.Errorf("%d certificates, %v", len(read), err)
		}
	})
}

// The message has the form of RFC 5272 §4.1, byte by byte.
func TestGoldenCertsOnly(t *testing.T) {
	got, err := CertsOnly(&x509.Certificate{Raw: []byte{0x30, 1, 0xAB}})
	want := "3028" + "06092a864886f70d010702" + "a01b" + "3019" + "020101" + "3100" + "300b" + "06092a864886f70d010701" + "a003" + "3001ab" + "3100"
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%x, %v, want %s", got, err, want)
	}
}

// Each part of the message must be there, in its place.
func TestPartsOfCertsOnly(t *testing.T) {
	der := func(tag byte, parts ...[]byte) []byte {
		content := bytes.Join(parts, nil)
		switch n := len(content); {
		case n >= 0x100:
			return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
		case n >= 0x80:
			return append([]byte{tag, 0x81, byte(n)}, content...)
		}
		return append([]byte{tag, byte(len(content))}, content...)
	}
	cert := certificate(t)
	oid, version, set, data := der(6, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}), der(2, []byte{1}), der(0x31), der(0x30)
	certs := der(0xA0, cert.Raw)
	message := func(parts ...[]byte) []byte { return der(0x30, oid, der(0xA0, der(0x30, parts...))) }
	for name, tt := range map[string]struct {
		der   []byte
		right bool
	}{
		"whole":            {message(version, set, data, certs, set), true},
		"with CRLs":        {message(version, set, data, certs, der(0xA1), set), true},
		"no version":       {message(set, data, certs, set), false},
		"no digests":       {message(version, data, certs, set), false},
		"no content":       {message(version, set, certs, set), false},
		"no certificates":  {message(version, set, data, set), false},
		"a set outside":    {der(0x31, oid, der(0xA0, der(0x30, version, set, data, certs, set))), false},
		"no type":          {der(0x30, der(0xA0, der(0x30, version, set, data, certs, set))), false},
		"not explicit":     {der(0x30, oid, der(0x30, version, set, data, certs, set)), false},
		"a set inside":     {der(0x30, oid, der(0xA0, der(0x31, version, set, data, certs, set))), false},
		"something inside": {der(0x30, oid, der(0xA0, der(0x30, version, set, data, certs, set), set)), false},
		"something behind": {der(0x30, oid, der(0xA0, der(0x30, version, set, data, certs, set)), set), false},
		"a set as one":     {message(version, set, data, der(0xA0, set), set), false},
	} {
		got, err := ReadCertsOnly(tt.der)
		if (err == nil) != tt.right || tt.right && (len(got) != 1 || !got[0].Equal(cert)) {
			t.Errorf("%s: %d certificates, %v", name, len(got), err)
		}
	}
}
