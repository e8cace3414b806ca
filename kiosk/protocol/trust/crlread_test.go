package trust

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// newCA returns the certificate of a CA that may sign CRLs.
func newCA(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now, NotAfter: now,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// TestCRLSignatures: ReadCRL accepts each signature algorithm that CAs use. A
// CRL is not accepted from a CA with the same name and another key.
func TestCRLSignatures(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCA, ecCA := newCA(t, rsaKey), newCA(t, ecKey)
	for algorithm, key := range map[x509.SignatureAlgorithm]crypto.Signer{
		x509.SHA256WithRSA: rsaKey, x509.SHA384WithRSA: rsaKey, x509.SHA512WithRSA: rsaKey,
		x509.ECDSAWithSHA256: ecKey, x509.ECDSAWithSHA384: ecKey, x509.ECDSAWithSHA512: ecKey,
	} {
		right, wrong := rsaCA, ecCA
		if key == crypto.Signer(ecKey) {
			right, wrong = ecCA, rsaCA
		}
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: right.NotBefore, NextUpdate: right.NotAfter, SignatureAlgorithm: algorithm,
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: right.NotBefore}},
		}, right, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ReadCRL(bytes.NewReader(der), []*x509.Certificate{wrong, right})
		if err != nil || c.Len() != 1 || !c.revoked.has([]byte{7}) {
			t.Errorf("%s: %+v, %v", algorithm, c, err)
		}
		if _, err := ReadCRL(bytes.NewReader(der), []*x509.Certificate{wrong}); err == nil {
			t.Errorf("%s: accepted from another key", algorithm)
		}
	}
}

// TestPEM reads a CRL in PEM of lines of any length, from a slow source.
func TestPEM(t *testing.T) {
	der, ca := longCRL(t, 500)
	text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	c, err := ReadCRL(iotest.OneByteReader(bytes.NewReader(text)), []*x509.Certificate{ca})
	if err != nil || c.Len() != 500 {
		t.Errorf("read %+v, %v", c, err)
	}
	for name, text := range map[string]string{
		"no line end":     "-----BEGIN X509 CRL-----",
		"no last line":    strings.TrimSuffix(string(text), "-----END X509 CRL-----\n")[:len(text)/2],
		"nothing in it":   "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n",
		"something else":  "-----BEGIN X509 CRL-----\n!!!!\n-----END X509 CRL-----\n",
		"of another kind": strings.Replace(string(text), "BEGIN X509 CRL", "BEGIN X509 CRT", 1),
	} {
		if c, err := ReadCRL(strings.NewReader(text), []*x509.Certificate{ca}); err == nil {
			t.Errorf("%s: read %+v", name, c)
		}
	}
}

// TestHeader: a length must be definite, in its shortest form, of at most four
// bytes, and end within the element that contains it (X.690 §10.1).
func TestHeader(t *testing.T) {
	const limit = 1 << 30
	for _, tt := range []struct {
		name  string
		in    []byte
		limit int64
		end   int64
		want  string
	}{
		{"empty", []byte{0x30, 0}, 2, 2, ""},
		{"the longest short form", []byte{0x30, 0x7F}, limit, 2 + 0x7F, ""},
		{"the shortest long form", []byte{0x30, 0x81, 0x80}, limit, 3 + 0x80, ""},
		{"two bytes", []byte{0x30, 0x82, 0x01, 0x02}, limit, 4 + 0x102, ""},
		{"four bytes", []byte{0x30, 0x84, 0x01, 0x02, 0x03, 0x04}, limit, 6 + 0x1020304, ""},
		{"up to the limit", []byte{0x30, 0x03}, 5, 5, ""},
		{"past the limit", []byte{0x30, 0x03}, 4, 0, "the element at byte 2 ends after the element that contains it"},
		{"another tag", []byte{0x31, 0}, limit, 0, "tag 31 at byte 0, not 30"},
		{"indefinite", []byte{0x30, 0x80}, limit, 0, "a length that is indefinite or too long at byte 1"},
		{"five bytes", []byte{0x30, 0x85, 1, 1, 1, 1, 1}, limit, 0, "a length that is indefinite or too long at byte 1"},
		{"long form of a short length", []byte{0x30, 0x81, 0x7F}, limit, 0, "a length not in its shortest form at byte 3"},
		{"a leading zero", []byte{0x30, 0x82, 0, 0x80}, limit, 0, "a length not in its shortest form at byte 4"},
		{"no length", []byte{0x30}, limit, 0, "it is cut short"},
		{"half a length", []byte{0x30, 0x82, 1}, limit, 0, "it is cut short"},
	} {
		d := &derStream{in: bufio.NewReader(bytes.NewReader(tt.in))}
		end, err := d.header(tagSequence, tt.limit)
		if tt.want == "" && (err != nil || end != tt.end) || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%s: end %d, %v, want %d, %q", tt.name, end, err, tt.end, tt.want)
		}
	}
}

// TestContent: an element may have as many bytes as the caller allows, and all of
// them must be there.
func TestContent(t *testing.T) {
	in := []byte{0x30, 3, 'a', 'b', 'c'}
	stream := func(b []byte) *derStream { return &derStream{in: bufio.NewReader(bytes.NewReader(b))} }
	for _, max := range []int{2, 3, 4} {
		one, errOne := stream(in).content(tagSequence, 9, max)
		two, errTwo := stream(in).contentIn(make([]byte, max), tagSequence, 9)
		if max < 3 {
			const want = "an element of 3 bytes at byte 2, at most 2 are read"
			if errOne == nil || errOne.Error() != want || errTwo == nil || errTwo.Error() != want {
				t.Errorf("at most %d: %v, %v", max, errOne, errTwo)
			}
			continue
		}
		if string(one) != "abc" || errOne != nil || string(two) != "abc" || errTwo != nil {
			t.Errorf("at most %d: %q, %v; %q, %v", max, one, errOne, two, errTwo)
		}
	}
	if _, err := stream(in[:4]).content(tagSequence, 9, 9); err == nil || err.Error() != "it is cut short" {
		t.Errorf("cut short: %v", err)
	}
	if _, err := stream(in[:4]).contentIn(make([]byte, 9), tagSequence, 9); err == nil || err.Error() != "it is cut short" {
		t.Errorf("cut short: %v", err)
	}
}

// TestParseTime: RFC 5280 §4.1.2.5 defines the form of both types, and the
// century of a UTCTime.
func TestParseTime(t *testing.T) {
	for _, tt := range []struct {
		tag  byte
		text string
		want string // RFC 3339, or a part of the error
	}{
		{tagUTCTime, "491231235959Z", "2049-12-31T23:59:59Z"},
		{tagUTCTime, "500101000000Z", "1950-01-01T00:00:00Z"},
		{tagUTCTime, "991231235959Z", "1999-12-31T23:59:59Z"},
		{tagGeneralizedTime, "20500101000000Z", "2050-01-01T00:00:00Z"},
		{tagGeneralizedTime, "99991231235959Z", "9999-12-31T23:59:59Z"},
		{tagGeneralizedTime, "500101000000Z", "is not a valid time"},
		{tagGeneralizedTime, "20500101000000.5Z", "is not a valid time"},
		{tagUTCTime, "5001010000Z", "is not a valid time"},
		{tagUTCTime, "", "is not a valid time"},
		{tagInteger, "500101000000Z", "tag 02 is not a time"},
	} {
		at, err := parseTime(tt.tag, []byte(tt.text))
		if got := at.Format(time.RFC3339); err == nil && got != tt.want {
			t.Errorf("%s is %s, want %s", tt.text, got, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// TestReadEntry: an entry has a serial number in its shortest form, a date, and no
// critical extension (RFC 5280 §5.3).
func TestReadEntry(t *testing.T) {
	date := append([]byte{tagUTCTime, 13}, "260101000000Z"...)
	number := func(b ...byte) []byte { return append(append([]byte{tagInteger, byte(len(b))}, b...), date...) }
	longest := append([]byte{0}, bytes.Repeat([]byte{0xFF}, maxSerial)...)
	for _, tt := range []struct {
		name  string
		entry []byte
		want  string // a part of the error
	}{
		{"sound", number(1), ""},
		{"zero", number(0), ""},
		{"the longest", number(longest...), ""},
		{"negative", number(0xFF), ""},
		{"with a sign byte", number(0, 0x80), ""},
		{"negative with a sign byte", number(0xFF, 0x7F), ""},
		{"too long", number(append([]byte{1}, longest...)...), "it has no serial number, or one too long"},
		{"no serial number", date, "it has no serial number, or one too long"},
		{"an empty serial number", number(), "it has no serial number, or one too long"},
		{"a zero too many", number(0, 0x7F), "not in the shortest form"},
		{"a sign byte too many", number(0xFF, 0x80), "not in the shortest form"},
		{"no date", []byte{tagInteger, 1, 1}, "it has no date"},
		{"a date of another type", []byte{tagInteger, 1, 1, tagInteger, 1, 1}, "tag 02 is not a time"},
		{"something behind", append(number(1), 5, 0), "extensions"},
	} {
		serial, err := readEntry(tt.entry)
		if tt.want == "" && (err != nil || !bytes.Equal(serial, tt.entry[2:2+tt.entry[1]])) {
			t.Errorf("%s: %x, %v", tt.name, serial, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
