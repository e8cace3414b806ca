package feed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"smartkiosk/kiosk/protocol/hubapi"
)

// ServerTLS is how a kiosk serves its feed: with the certificate that it has
// for the hub, to clients with one of the same CA.
func ServerTLS(kiosk *hubapi.Credentials) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: kiosk.TLS.Certificates,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    kiosk.TLS.RootCAs,
	}
}

// ClientTLS is how a consumer connects to a kiosk. A kiosk's certificate names
// the kiosk, and no host: kiosks move, and have no DNS name. So in place of
// the host's name the kiosk's is checked, and the chain as ever.
func ClientTLS(consumer *hubapi.Credentials, kioskID string) *tls.Config {
	c := consumer.TLS.Clone()
	c.InsecureSkipVerify = true // of the host's name; VerifyConnection does the rest
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
		// The same certificate is for the hub, where the kiosk is the client.
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
