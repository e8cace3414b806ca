package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Lifetimes of the certificates that the hub's own CA issues. hub.toml sets that of
// clients. The hub's own is long, because a thief of the hub's folder has the CA's key too.
// All begin a day early for kiosks whose clock is slow.
const (
	caYears         = 20
	serverYears     = 10
	defaultLifetime = 90 * 24 * time.Hour
	backdated       = 24 * time.Hour
)

// authority is the hub's own CA.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return key, nil
}

// newAuthority makes a CA that can issue end-entity certificates only.
func newAuthority(name string, now time.Time) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot make the CA: %w", err)
	}
	return &authority{cert, key}, nil
}

// server issues the hub's certificate for these hosts. Each is a DNS name or an IP
// address.
func (a *authority) server(key crypto.PublicKey, now time.Time, hosts ...string) ([]byte, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Smartkiosk hub"},
		NotAfter:    now.AddDate(serverYears, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.issue(template, key, now)
}

// client issues a client's certificate.
func (a *authority) client(key crypto.PublicKey, now time.Time, lifetime time.Duration, id hubapi.Identity) (*x509.Certificate, error) {
	der, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: id.Name, OrganizationalUnit: []string{string(id.Role)}},
		NotAfter:    now.Add(lifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{id.URI()},
	}, key, now)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a *authority) issue(template *x509.Certificate, key crypto.PublicKey, now time.Time) ([]byte, error) {
	template.NotBefore = now.Add(-backdated)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a certificate: %w", err)
	}
	return der, nil
}

// readRequest returns the public key of a certificate request. The request must be signed
// with that key, and the key must be one that can sign events.
func readRequest(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("cannot read certificate request: it is not PEM")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = request.CheckSignature()
	}
	if err == nil {
		_, err = event.KeyID(request.PublicKey)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate request: %w", err)
	}
	return request.PublicKey, nil
}

// readAuthority reads the CA in a hub's folder.
func readAuthority(dir string) (*authority, error) {
	cert, _, err := readCertificate(filepath.Join(dir, caFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, caKeyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA's key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("cannot read the CA's key: %s is not PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA's key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("cannot sign with the CA's key in %s", path)
	}
	return &authority{cert, signer}, nil
}

// readCertificate reads a PEM certificate. It also returns the text of the file.
func readCertificate(path string) (*x509.Certificate, []byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, fmt.Errorf("cannot read certificate: %s is not PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read certificate %s: %w", path, err)
	}
	return cert, text, nil
}

func writeCertificate(path string, der []byte) error {
	return os.WriteFile(path, pemCertificate(der), 0o644)
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot write a key: %w", err)
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
