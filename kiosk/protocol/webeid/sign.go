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

// A nonce has 44 to 128 characters: 32 bytes as base64, or more (Web eID,
// challenge nonce).
const (
	minNonce = 44
	maxNonce = 128
)

// Sign makes a token: it has signer sign the challenge nonce (base64, as the
// server gave it) for origin (`https://host[:port]`), and puts the holder's
// certificate (DER) beside it. An RSA key signs with RS256, an ECDSA key with
// the algorithm of its curve.
func Sign(signer crypto.Signer, certDER []byte, origin, nonce string) (token []byte, err error) {
	algorithm, err := algorithmFor(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("cannot sign token: %w", err)
	}
	return SignWith(algorithm, signer, certDER, origin, nonce)
}

// SignWith is Sign with an algorithm of one's own choice.
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
	// A card may answer 9000 to a signature by another key, or over what
	// another command left behind.
	if !s.verify(cert.PublicKey, digest, signature) {
		return Token{}, errors.New("the signature does not match the certificate")
	}
	return Token{Certificate: certDER, Algorithm: algorithm, Signature: signature, Format: Format, AppVersion: appVersion}, nil
}

// checkOrigin demands `https://host[:port]`: what a browser would call the
// origin (RFC 6454 §6.1), as both sides hash its text.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.Host == "" || origin != "https://"+strings.ToLower(u.Host) {
		return fmt.Errorf("origin %q has not the form https://host[:port]", origin)
	}
	return nil
}
