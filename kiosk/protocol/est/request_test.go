package est

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, id hubapi.Identity, key crypto.Signer) []byte {
	t.Helper()
	der, err := NewRequest(id, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Certificate requests that the hub refuses.
func TestBadCertificateRequests(t *testing.T) {
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	key := newKey(t)
	make := func(template *x509.CertificateRequest, key crypto.Signer) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(request(t, id, key))
	forged[len(forged)-1] ^= 1
	for name, tt := range map[string]struct {
		der  []byte
		want string
	}{
		"good":          {request(t, id, key), ""},
		"without names": {make(&x509.CertificateRequest{}, key), ""},
		"another name":  {make(&x509.CertificateRequest{Subject: pkix.Name{CommonName: "k2"}}, key), `is for the name "k2", not for k1`},
		"another role":  {request(t, hubapi.Identity{Role: hubapi.RoleOperator, Name: "k1"}, key), "not for urn:smartkiosk:kiosk:k1"},
		"a host name":   {make(&x509.CertificateRequest{DNSNames: []string{"hub.example"}}, key), "has names other than"},
		"an address":    {make(&x509.CertificateRequest{IPAddresses: []net.IP{{192, 0, 2, 1}}}, key), "has names other than"},
		"a mail box":    {make(&x509.CertificateRequest{EmailAddresses: []string{"k1@hub.example"}}, key), "has names other than"},
		"three names": {make(&x509.CertificateRequest{
			DNSNames: []string{"a.example", "b.example"}, IPAddresses: []net.IP{{192, 0, 2, 1}}, EmailAddresses: []string{"k1@hub.example"},
		}, key), "has names other than"},
		"RSA":          {make(&x509.CertificateRequest{}, weak), "not ECDSA P-256"},
		"P-384":        {make(&x509.CertificateRequest{}, large), "not ECDSA P-256"},
		"forged":       {forged, "does not prove possession"},
		"not PKCS #10": {[]byte("hello"), "not PKCS #10"},
		"empty":        {nil, "not PKCS #10"},
	} {
		_, err := ReadRequest(tt.der, id)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// brokenKey is a key that does not sign.
type brokenKey struct{ crypto.Signer }

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no TPM")
}

func TestRequestWithoutSignature(t *testing.T) {
	der, err := NewRequest(hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, brokenKey{newKey(t)})
	if der != nil || err == nil || err.Error() != "cannot make a certificate request: no TPM" {
		t.Errorf("%x, %v", der, err)
	}
}

// A request that is accepted has a P-256 key, which has signed it.
func FuzzReadRequest(f *testing.F) {
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	f.Add(request(f, id, newKey(f)))
	f.Add(request(f, hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}, newKey(f)))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := ReadRequest(der, id)
		if err != nil {
			return
		}
		again, err := x509.ParseCertificateRequest(der)
		if err != nil || again.CheckSignature() != nil || !key.Equal(again.PublicKey) || key.Curve != elliptic.P256() {
			t.Errorf("%x was accepted", der)
		}
	})
}
