package scproxy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/device/atomicfile"
)

// Files that Certificate writes.
const (
	keyFile    = "scproxy.pem" // key and certificate
	publicFile = "scproxy.crt" // certificate of its CA, for the browser
)

// The certificate is valid for as long as this program can run. A kiosk's clock may
// be in the past when it starts, and a new certificate would have to be added to the
// browser by hand.
var (
	notBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC)
)

// Certificate returns the service's certificate and key from the folder dir, which
// must exist. If they are missing, it makes them: scproxy.pem, which only its owner
// may read, and scproxy.crt, the certificate of the CA that issued it. That CA's key is
// not stored, so no other certificate can be issued.
func Certificate(dir string) (tls.Certificate, error) {
	path := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if b, err = makeCertificate(dir); err == nil {
			err = atomicfile.Replace(path, b, 0o600)
		}
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot get certificate for SCProxy: %w", err)
	}
	certificate, err := tls.X509KeyPair(b, b)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot use certificate %s: %w", path, err)
	}
	return certificate, nil
}

// makeCertificate makes the key and its certificate, and returns both as PEM. It writes the
// CA that issued it for the browser, and forgets that CA's key.
func makeCertificate(dir string) ([]byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "Smartkiosk SCProxy CA on this machine"},
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{host}, PermittedIPRanges: []*net.IPNet{{IP: address, Mask: net.CIDRMask(32, 32)}},
	}
	caDER, err := issue(ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := issue(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "Smartkiosk SCProxy on this machine"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{address}, DNSNames: []string{host},
	}, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, publicFile), certificatePEM(caDER), 0o644); err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), certificatePEM(der)...), nil
}

// host and address are the names of this machine in the certificate.
const host = "localhost"

var address = net.IPv4(127, 0, 0, 1).To4()

// issue signs a certificate.
func issue(c, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (der []byte, err error) {
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	c.NotBefore, c.NotAfter, c.BasicConstraintsValid = notBefore, notAfter, true
	return x509.CreateCertificate(rand.Reader, c, by, public, key)
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
