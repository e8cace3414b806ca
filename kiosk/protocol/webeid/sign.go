package webeid

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The length of a nonce in characters. 44 characters are 32 bytes in base64
// (Web eID, challenge nonce).
const (
	minNonce = 44
	maxNonce = 128
)

// Sign makes a token. signer signs the challenge nonce (base64, as received
// from the server) for origin (`https://host[:port]`). certDER is the holder's
// certificate, which becomes part of the token. The algorithm is RS256 for an
// RSA key and the algorithm of the curve for an ECDSA key. Sign returns an
// error if the signature does not match the certificate.
func Sign(signer crypto.Signer, certDER []byte, origin, nonce string) (token []byte, err error) {
	algorithm, err := algorithmFor(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("cannot sign token: %w", err)
	}
	return SignWith(algorithm, signer, certDER, origin, nonce)
}

// SignWith is like Sign with the given algorithm.
func SignWith(algorithm Algorithm, signer crypto.Signer, certDER []byte, origin, nonce string) (token []byte, err error) {
	t, err := sign(algorithm, signer, certDER, origin, nonce)
	if err != nil {
		return nil, fmt.Errorf("cannot sign token: %w", err)
	}
	return t.marshal()
}

func sign(algorithm Algorithm, signer crypto.Signer, certDER []byte, origin, nonce string) (Token, error) {
	if err := checkOrigin(origin); err != nil {
		return Token{}, err
	}
	if len(nonce) < minNonce || len(nonce) > maxNonce {
		return Token{}, fmt.Errorf("the nonce has %d characters, not %d to %d", len(nonce), minNonce, maxNonce)
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return Token{}, fmt.Errorf("cannot read certificate: %w", err)
	}
	s, ok := schemes[algorithm]
	if !ok || !s.fits(signer.Public()) {
		return Token{}, fmt.Errorf("algorithm %q is not for a key of type %T", algorithm, signer.Public())
	}
	digest := s.digest(origin, nonce)
	signature, err := signer.Sign(rand.Reader, digest, s.options())
	if err != nil {
		return Token{}, err
	}
	if signature, err = s.fromSigner(signature); err != nil {
		return Token{}, err
	}
	// A card may answer 9000 (success) although it has signed with another
	// key, or has signed data of an earlier command.
	if !s.verify(cert.PublicKey, digest, signature) {
		return Token{}, errors.New("the signature does not match the certificate")
	}
	return Token{Certificate: certDER, Algorithm: algorithm, Signature: signature, Format: Format, AppVersion: appVersion}, nil
}

// checkOrigin returns an error unless origin has the form `https://host[:port]`
// in lower case, which is how a browser writes an origin (RFC 6454 §6.1). Kiosk
// and hub hash this text, so both must write it alike.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.Host == "" || origin != "https://"+strings.ToLower(u.Host) {
		return fmt.Errorf("origin %q has not the form https://host[:port]", origin)
	}
	return nil
}
