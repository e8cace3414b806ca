package est

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"

	"smartkiosk/kiosk/protocol/hubapi"
)

// NewRequest makes a certificate request (PKCS #10, RFC 2986) of a client, in DER. Its names
// are those of the certificate that the client has or is to get.
func NewRequest(id hubapi.Identity, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: id.Name, OrganizationalUnit: []string{string(id.Role)}},
		URIs:    []*url.URL{id.URI()},
	}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return der, nil
}

// ReadRequest checks a client's certificate request and returns its public key. The request
// must be signed with that key, which proves that the client has it. The names in it must
// be those of id, or missing.
func ReadRequest(der []byte, id hubapi.Identity) (*ecdsa.PublicKey, error) {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, errors.New("the certificate request is not PKCS #10")
	}
	key, ok := request.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key of the certificate request is not ECDSA P-256")
	}
	if err := request.CheckSignature(); err != nil {
		return nil, errors.New("the certificate request does not prove possession of its key: its signature is wrong")
	}
	if name := request.Subject.CommonName; name != "" && name != id.Name {
		return nil, fmt.Errorf("the certificate request is for the name %q, not for %s", name, id.Name)
	}
	for _, uri := range request.URIs {
		if uri.String() != id.String() {
			return nil, fmt.Errorf("the certificate request is for %q, not for %s", uri, id)
		}
	}
	if len(request.DNSNames)+len(request.IPAddresses)+len(request.EmailAddresses) > 0 {
		return nil, fmt.Errorf("the certificate request has names other than %s", id)
	}
	return key, nil
}
