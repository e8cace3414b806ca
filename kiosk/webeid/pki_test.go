package webeid_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk/trust"
)

const (
	origin = "https://hub.example:8443"
	policy = "2.16.578.1.26.1.3.1"
)

var (
	now   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	nonce = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
)

// keys are made once: an RSA key costs a test half a second.
var keys = struct {
	sync.Mutex
	made map[string]crypto.Signer
}{made: map[string]crypto.Signer{}}

// key gives the key of a name: "rsa" and "p256" or "p384" or "p521", then
// what tells it from others.
func key(t testing.TB, kind, name string) crypto.Signer {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	if k, ok := keys.made[kind+name]; ok {
		return k
	}
	var k crypto.Signer
	var err error
	switch kind {
	case "rsa":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "p256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys.made[kind+name] = k
	return k
}

// authority is a CA of the tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, name string, issuer *authority) *authority {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Country: []string{"NO"}, Organization: []string{"Smartkiosk Test"}, CommonName: name},
		NotBefore:             now.AddDate(-5, 0, 0),
		NotAfter:              now.AddDate(15, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &authority{key: key(t, "p256", name)}
	if issuer == nil {
		issuer = &authority{cert: tmpl, key: a.key}
	}
	a.cert = issue(t, tmpl, a.key.Public(), issuer)
	return a
}

func issue(t testing.TB, tmpl *x509.Certificate, public crypto.PublicKey, issuer *authority) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer.cert, public, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// person is the template of an authentication certificate as Buypass has it.
func person() *x509.Certificate {
	oid, _ := x509.ParseOID(policy)
	return &x509.Certificate{
		SerialNumber: big.NewInt(4711),
		Subject:      pkix.Name{Country: []string{"NO"}, CommonName: "Kari Prøve", SerialNumber: "UN:NO-9578-4050-100001"},
		NotBefore:    now.AddDate(-1, 0, 0),
		NotAfter:     now.AddDate(2, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		Policies:     []x509.OID{oid},
	}
}

func newCRL(t testing.TB, ca *authority, serials ...int64) []byte {
	t.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	for _, s := range serials {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: now.Add(-2 * time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newDomains gives one trust domain of root and ca; the CRL of ca lists the
// serials.
func newDomains(t testing.TB, root, ca *authority, revoked ...int64) *trust.Domains {
	t.Helper()
	crl, err := trust.ReadCRL(bytes.NewReader(newCRL(t, ca, revoked...)), []*x509.Certificate{ca.cert})
	if err != nil {
		t.Fatal(err)
	}
	d, err := trust.New(trust.Domain{
		Name:            "buypass-test",
		Anchors:         []*x509.Certificate{root.cert},
		Intermediates:   []*x509.Certificate{ca.cert},
		Policies:        []string{policy},
		RefusedPolicies: []string{"2.16.578.1.26.1.3.6"},
		Subject:         trust.SubjectBuypass,
		CRLs:            []*trust.CRL{crl},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
