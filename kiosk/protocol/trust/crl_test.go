package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"runtime"
	"testing"
	"time"
)

// longCRL returns a CRL that lists n certificates, and the CA that signed it.
func longCRL(t testing.TB, n int) (der []byte, ca *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now, NotAfter: now,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	if der, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now}
	for i := range n {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serialOf(i), RevocationTime: now, ReasonCode: 1})
	}
	if der, err = x509.CreateRevocationList(rand.Reader, list, ca, key); err != nil {
		t.Fatal(err)
	}
	return der, ca
}

// serialOf returns the serial number of the i-th certificate on the CRL.
func serialOf(i int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(0x7A), 120)
	return n.Add(n, big.NewInt(int64(i)))
}

func TestLongCRL(t *testing.T) {
	const n = 20_000
	der, ca := longCRL(t, n)
	crl, err := ReadCRL(bytes.NewReader(der), []*x509.Certificate{ca})
	if err != nil {
		t.Fatal(err)
	}
	if crl.Len() != n || cap(crl.revoked) > n+n/50 {
		t.Errorf("it has %d entries and a capacity of %d", crl.Len(), cap(crl.revoked))
	}
	for i := -2; i < n+2; i++ {
		if got := crl.revoked.has(serialContent(serialOf(i))); got != (i >= 0 && i < n) {
			t.Fatalf("number %d: %v", i, got)
		}
	}
}

// BenchmarkCRL measures a lookup in a CRL of a million entries, the memory that
// the CRL takes and the time to read it.
func BenchmarkCRL(b *testing.B) {
	der, ca := longCRL(b, 1_000_000)
	heap := func() float64 { // MB
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	issuers := []*x509.Certificate{ca}
	before := heap()
	start := time.Now()
	crl, err := ReadCRL(bytes.NewReader(der), issuers)
	if err != nil {
		b.Fatal(err)
	}
	read := time.Since(start)
	resident := heap() - before
	runtime.KeepAlive(der)
	serial := serialContent(serialOf(500_000))
	for b.Loop() {
		if !crl.revoked.has(serial) {
			b.Fatal("it is not listed")
		}
	}
	b.ReportMetric(resident, "MB-resident")
	b.ReportMetric(float64(len(der))/1e6, "MB-DER")
	b.ReportMetric(read.Seconds(), "s-to-read")
}
