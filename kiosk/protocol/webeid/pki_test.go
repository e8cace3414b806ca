package webeid_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"sync"
	"testing"
	"time"
)

// This file makes what testpki cannot make: certificates, CRLs and OCSP answers
// that have a single fault and a valid signature.

const (
	origin    = "https://hub.example:8443"
	policy    = "2.16.578.1.26.1.3.1"
	hsmPolicy = "2.16.578.1.26.1.3.6"
	crlURL    = "http://crl.example/person-ca.crl"
	ocspURL   = "http://ocsp.example"
)

var (
	now   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	nonce = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
)

// keys caches the keys of all tests, because making an RSA key takes half a second.
var keys = struct {
	sync.Mutex
	made map[string]crypto.Signer
}{made: map[string]crypto.Signer{}}

// newKey returns the key of a kind and a name. Each call returns the same key.
func newKey(t testing.TB, kind, name string) crypto.Signer {
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
	case "rsa1024":
		k, err = rsa.GenerateKey(rand.Reader, 1024)
	case "p224":
		k, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "p256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		t.Fatalf("no key of kind %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys.made[kind+name] = k
	return k
}

// authority is a CA with its key.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func authorityTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Country: []string{"NO"}, Organization: []string{"Smartkiosk Test"}, CommonName: name},
		NotBefore:             now.AddDate(-5, 0, 0),
		NotAfter:              now.AddDate(15, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLen:            -1,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// newAuthority makes a CA from a template. issuer signs its certificate; if
// issuer is nil, the CA is self-signed.
func newAuthority(t testing.TB, tmpl *x509.Certificate, keyName string, issuer *authority) *authority {
	t.Helper()
	a := &authority{key: newKey(t, "p256", keyName)}
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

func oid(t testing.TB, text string) x509.OID {
	t.Helper()
	o, err := x509.ParseOID(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// person returns the template of an authentication certificate like those of
// Buypass.
func person(t testing.TB) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(4711),
		Subject:               pkix.Name{Country: []string{"NO"}, CommonName: "Kari Prøve", SerialNumber: "UN:NO-9578-4050-100001"},
		NotBefore:             now.AddDate(-1, 0, 0),
		NotAfter:              now.AddDate(2, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		Policies:              []x509.OID{oid(t, policy), oid(t, "0.4.0.2042.1.2")},
		CRLDistributionPoints: []string{crlURL},
		OCSPServer:            []string{ocspURL},
	}
}

// resign calls edit with the elements of the signed part of a certificate, a
// CRL or a basic OCSP response, and signs the result again (ECDSA with
// SHA-256).
func resign(t testing.TB, der []byte, key crypto.Signer, edit func(elements []asn1.RawValue) []asn1.RawValue) []byte {
	t.Helper()
	var whole, tbs []asn1.RawValue
	mustUnmarshal(t, der, &whole)
	mustUnmarshal(t, whole[0].FullBytes, &tbs)
	whole[0] = asn1.RawValue{FullBytes: mustMarshal(t, edit(tbs))}
	hash := crypto.SHA256
	if algorithm := whole[1].FullBytes; bytes.Contains(algorithm, []byte{0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1}) ||
		bytes.Contains(algorithm, []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5}) { // ECDSA and RSA with SHA-1
		hash = crypto.SHA1
	}
	digest := hash.New()
	digest.Write(whole[0].FullBytes)
	signature, err := key.Sign(rand.Reader, digest.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	whole[2] = asn1.RawValue{FullBytes: mustMarshal(t, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)})}
	return mustMarshal(t, whole)
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mustUnmarshal(t testing.TB, der []byte, v any) {
	t.Helper()
	if rest, err := asn1.Unmarshal(der, v); err != nil || len(rest) > 0 {
		t.Fatalf("%v, %d bytes left", err, len(rest))
	}
}

func raw(der []byte) asn1.RawValue { return asn1.RawValue{FullBytes: der} }

// indefinite re-encodes a SEQUENCE with the indefinite length of BER.
func indefinite(t testing.TB, der []byte) []byte {
	var v asn1.RawValue
	mustUnmarshal(t, der, &v)
	return append(append([]byte{0x30, 0x80}, v.Bytes...), 0, 0)
}

// challenge returns the digest that ES256, PS256 and RS256 sign, computed here
// from the text of the specification.
func challenge() []byte {
	o, n := sha256.Sum256([]byte(origin)), sha256.Sum256([]byte(nonce))
	sum := sha256.Sum256(append(o[:], n[:]...))
	return sum[:]
}

// rawECDSA converts a signature from DER to R ‖ S. scalar is the length of each
// in bytes.
func rawECDSA(t testing.TB, der []byte, scalar int) []byte {
	var rs struct{ R, S *big.Int }
	mustUnmarshal(t, der, &rs)
	return append(rs.R.FillBytes(make([]byte, scalar)), rs.S.FillBytes(make([]byte, scalar))...)
}
