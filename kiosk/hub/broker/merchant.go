package broker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// A merchant certificate is the hub's client certificate for TLS to a broker that asks for
// one. The broker issues it, for the sandbox and for production.

// readMerchant reads a merchant certificate with its chain, and its key.
func (c *Credentials) readMerchant(certificate, key string) error {
	chain, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	private, err := readSecretFile(key)
	if err != nil {
		return err
	}
	defer clear(private)
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", certificate, key, err)
	}
	c.merchant = &pair
	// Another certificate of the same key is the same credential.
	sum := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)
	c.thumbs = append(c.thumbs, "certificate "+base64.RawURLEncoding.EncodeToString(sum[:]))
	return nil
}

// Merchant returns the merchant certificate in use, or nil.
func (c *Client) Merchant() *x509.Certificate {
	if m := c.credentials.Load().merchant; m != nil {
		return m.Leaf
	}
	return nil
}

// withMerchant returns a transport that offers the merchant certificate in use.
func (c *Client) withMerchant(base http.RoundTripper) (http.RoundTripper, error) {
	if c.config.CertificateFile == "" {
		return base, nil
	}
	t, ok := base.(*http.Transport)
	if !ok {
		return nil, errors.New("this transport takes no client certificate")
	}
	t = t.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return c.credentials.Load().merchant, nil
	}
	return t, nil
}
