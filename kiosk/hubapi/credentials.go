package hubapi

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Credentials is what a kiosk or a consumer has to speak to the hub with.
type Credentials struct {
	Identity Identity
	Key      crypto.Signer // of the certificate; a kiosk signs its events with it too
	TLS      *tls.Config   // presents the certificate, trusts the hub's CA alone
}

// LoadCredentials reads PEM files: the hub's CA, the client's certificate and
// its private key.
func LoadCredentials(caFile, certFile, keyFile string) (*Credentials, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("cannot read the hub's CA: no PEM certificate in %s", caFile)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate %s and its key: %w", certFile, err)
	}
	id, err := IdentityOf(pair.Leaf)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", certFile, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("cannot sign with the key in %s", keyFile)
	}
	return &Credentials{
		Identity: id,
		Key:      key,
		TLS: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			RootCAs:      roots,
			Certificates: []tls.Certificate{pair},
		},
	}, nil
}
