package feed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"smartkiosk/kiosk/protocol/hubapi"
)

// ServerTLS returns the TLS configuration with which a kiosk serves its feed.
// The kiosk uses the certificate that it has for the hub, and accepts clients
// with a certificate of the same CA.
func ServerTLS(kiosk *hubapi.Credentials) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: kiosk.TLSCertificate, // kioskd renews it
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      kiosk.TLS.RootCAs,
	}
}

// ClientTLS returns the TLS configuration with which a consumer connects to a
// kiosk. A kiosk's certificate names the kiosk and not a host, because kiosks
// move and have no DNS name. The client therefore verifies the chain as usual,
// but checks the kiosk's name in place of the host's.
func ClientTLS(consumer *hubapi.Credentials, kioskID string) *tls.Config {
	c := consumer.TLS.Clone()
	c.InsecureSkipVerify = true // skips the host's name; VerifyConnection verifies the chain and the kiosk's name
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if err := isKiosk(state.PeerCertificates, c.RootCAs, kioskID); err != nil {
			return fmt.Errorf("cannot trust the kiosk: %w", err)
		}
		return nil
	}
	return c
}

func isKiosk(chain []*x509.Certificate, roots *x509.CertPool, kioskID string) error {
	if len(chain) == 0 {
		return errors.New("it has no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates,
		// The kiosk uses the same certificate as a client of the hub.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	id, err := hubapi.IdentityOf(chain[0])
	if err != nil {
		return err
	}
	if want := (hubapi.Identity{Role: hubapi.RoleKiosk, Name: kioskID}); id != want {
		return fmt.Errorf("it is %s, not %s", id, want)
	}
	return nil
}
