package scproxy

import (
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
	publicFile = "scproxy.crt" // certificate, for the browser
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
// may read, and scproxy.crt, which has the certificate alone.
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

// makeCertificate makes a key and its certificate, and writes the certificate for
// the browser. It returns both as PEM.
func makeCertificate(dir string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Smartkiosk SCProxy on this machine"},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, publicFile), public, 0o644); err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), public...), nil
}
