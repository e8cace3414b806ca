package hubapi

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Credentials is what a kiosk or a consumer needs to connect to the hub.
type Credentials struct {
	Identity Identity
	Key      crypto.Signer // private key of the certificate; a kiosk signs its events with it too
	TLS      *tls.Config   // presents the certificate, trusts only the hub's CA

	current atomic.Pointer[tls.Certificate]
}

// Certificate returns the certificate that new connections present.
func (c *Credentials) Certificate() *x509.Certificate { return c.current.Load().Leaf }

// TLSCertificate returns the certificate and key that new connections present. It has the
// form of tls.Config.GetCertificate.
func (c *Credentials) TLSCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Replace makes new connections present another certificate of the same identity and key.
func (c *Credentials) Replace(cert *x509.Certificate) error {
	if id, err := IdentityOf(cert); err != nil || id != c.Identity {
		return fmt.Errorf("cannot use the new certificate: it is not for %s", c.Identity)
	}
	if !ownKey(c.Key, cert) {
		return errors.New("cannot use the new certificate: it is for another key")
	}
	c.current.Store(&tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: c.Key, Leaf: cert})
	return nil
}

func ownKey(key crypto.Signer, cert *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// LoadCredentials reads PEM files: the hub's CA, the client's certificate and its private
// key. It refuses a key file that anybody but the owner can read.
func LoadCredentials(caFile, certFile, keyFile string) (*Credentials, error) {
	text, err := ReadKeyFile(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read key %s: %w", keyFile, err)
	}
	return NewCredentials(caFile, certFile, key)
}

// ReadKeyFile reads a private key file. It refuses a file that anybody but the owner can
// read.
func ReadKeyFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("cannot read key: others can read %s (mode %04o): chmod 600 it, and make a new key if somebody may have", path, mode)
	}
	text = make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil {
		return nil, fmt.Errorf("cannot read key %s: %w", path, err)
	}
	return text, nil
}

// ParseKey reads a private key in PEM, in the form of PKCS #8 or SEC 1.
func ParseKey(text []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("it holds no private key in PEM")
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			return signer, nil
		}
	}
}

// NewCredentials reads PEM files: the hub's CA and the client's certificate. key is the
// certificate's private key, which may be kept in hardware.
func NewCredentials(caFile, certFile string, key crypto.Signer) (*Credentials, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("cannot read the hub's CA: no PEM certificate in %s", caFile)
	}
	chain, leaf, err := readChain(certFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate %s: %w", certFile, err)
	}
	id, err := IdentityOf(leaf)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", certFile, err)
	}
	if !ownKey(key, leaf) {
		return nil, fmt.Errorf("cannot use %s: the private key is not this certificate's", certFile)
	}
	c := &Credentials{
		Identity: id,
		Key:      key,
		TLS: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			RootCAs:      roots,
			Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key, Leaf: leaf}},
		},
	}
	c.current.Store(&c.TLS.Certificates[0])
	c.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.current.Load(), nil }
	return c, nil
}

// ReadCertificate reads the first certificate in a PEM file.
func ReadCertificate(path string) (*x509.Certificate, error) {
	_, leaf, err := readChain(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate %s: %w", path, err)
	}
	return leaf, nil
}

// readChain reads a certificate and the CA certificates that may follow it in the file.
func readChain(path string) (chain [][]byte, leaf *x509.Certificate, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if len(chain) == 0 {
		return nil, nil, errors.New("the file holds no certificate in PEM")
	}
	leaf, err = x509.ParseCertificate(chain[0])
	return chain, leaf, err
}
