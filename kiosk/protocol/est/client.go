package est

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// ErrWrongCA says that a hub is not the one that made the code.
var ErrWrongCA = errors.New("its CA is not the one that the code pins: either the URL is wrong, or somebody is between this machine and the hub")

// CA fetches the CA of the hub at base (https://host:port) and checks it against the code.
// Until then the hub is not authenticated, so CA does not send the secret.
func CA(ctx context.Context, base string, code Code) (*x509.Certificate, error) {
	certs, err := exchange(ctx, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // the code pins the CA that the answer holds
	}, http.MethodGet, base+PathCACerts, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot get the CA of %s: %w", base, err)
	}
	for _, ca := range certs {
		if ca.IsCA && code.Pins(ca) {
			return ca, nil
		}
	}
	return nil, fmt.Errorf("cannot trust the hub at %s: %w", base, ErrWrongCA)
}

// Enrol sends a certificate request (DER) with the secret of a code. It returns the
// certificate, which is for the kiosk that the code names.
func Enrol(ctx context.Context, base string, ca *x509.Certificate, code Code, request []byte) (*x509.Certificate, error) {
	cert, err := certify(ctx, trusting(ca), base+PathSimpleEnroll, &code, request, hubapi.Identity{Role: hubapi.RoleKiosk, Name: code.Kiosk})
	if err != nil {
		return nil, fmt.Errorf("cannot enrol at %s: %w", base, err)
	}
	return cert, checkIssuer(cert, ca)
}

// Renew sends a certificate request over a connection that the client's present certificate
// authenticates. It returns the new certificate, which is for the same identity. It also
// checks that the hub's CA has issued it.
func Renew(ctx context.Context, base string, credentials *hubapi.Credentials, request []byte) (*x509.Certificate, error) {
	cert, err := certify(ctx, credentials.TLS, base+PathSimpleReenroll, nil, request, credentials.Identity)
	if err != nil {
		return nil, fmt.Errorf("cannot renew the certificate: %w", err)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: credentials.TLS.RootCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: cert.NotBefore})
	if err != nil {
		return nil, fmt.Errorf("cannot use the new certificate: %w", err)
	}
	return cert, nil
}

func trusting(ca *x509.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
}

func checkIssuer(cert, ca *x509.Certificate) error {
	if err := cert.CheckSignatureFrom(ca); err != nil {
		return fmt.Errorf("cannot use the new certificate: %w", err)
	}
	return nil
}

// certify sends a certificate request, and checks that the answer is for its key and for
// the identity.
func certify(ctx context.Context, config *tls.Config, url string, code *Code, request []byte, id hubapi.Identity) (*x509.Certificate, error) {
	key, err := ReadRequest(request, id)
	if err != nil {
		return nil, err
	}
	certs, err := exchange(ctx, config, http.MethodPost, url, code, request)
	if err != nil {
		return nil, err
	}
	cert := certs[0]
	if got, err := hubapi.IdentityOf(cert); err != nil || got != id {
		return nil, fmt.Errorf("the hub answered with a certificate of %s", got)
	}
	if !key.Equal(cert.PublicKey) {
		return nil, errors.New("the hub answered with the certificate of another key")
	}
	return cert, nil
}

// exchange makes one request on a connection of its own.
func exchange(ctx context.Context, config *tls.Config, method, url string, code *Code, body []byte) ([]*x509.Certificate, error) {
	transport := &http.Transport{TLSClientConfig: config.Clone(), DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second}
	client := &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(Encode(body)))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", MediaRequest)
		req.Header.Set("Content-Transfer-Encoding", "base64")
	}
	if code != nil {
		req.SetBasicAuth(code.Kiosk, string(code.Secret))
	}
	resp, err := client.Do(req)
	if err != nil {
		if config.GetClientCertificate == nil && len(config.Certificates) == 0 {
			err = explain(err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4*MaxBody))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, hubapi.ReadProblem(resp, answer)
	}
	der, err := Decode(answer)
	if err != nil {
		return nil, err
	}
	return ReadCertsOnly(der)
}

// ErrClosed says that a hub accepts no connection without a client certificate at the
// moment.
var ErrClosed = errors.New("the hub waits for no kiosk to enrol: the code was used, was revoked or expired long ago, so ask the operator for a new one")

// explain replaces the TLS alert with which a hub that has no open code refuses a client
// without a certificate.
func explain(err error) error {
	// Hubs of older versions answered "certificate required".
	if text := err.Error(); strings.Contains(text, "tls: bad certificate") || strings.Contains(text, "tls: certificate required") {
		return ErrClosed
	}
	return err
}
