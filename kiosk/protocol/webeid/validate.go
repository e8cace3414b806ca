package webeid

import (
	"context"
	"errors"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// Validator validates tokens for one server. It has no state of its own. The
// server must make the nonces, bind each nonce to one kiosk, let it expire, and
// accept it only once.
type Validator struct {
	Origin  string // the server's, `https://host[:port]`
	Domains *trust.Domains
	OCSP    *trust.OCSP // nil: Validate sends no OCSP requests
}

// Validate returns the holder that token proves. nonce is the one that the
// server made, at is the time at which it received the token. Validate checks,
// in this order: length and form, format, certificate, purpose, policy,
// validity, path, signature, revocation. It returns a *trust.Refusal for an
// invalid token, and another error if the validator's own settings are invalid.
func (v *Validator) Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error) {
	p, err := v.Prove(ctx, token, nonce, at, at)
	return p.Holder, err
}

// Proof is the result of a valid token: the holder and the source of the
// revocation check.
type Proof struct {
	Holder kiosk.Holder
	// CRL is the newest CRL that covers the certificate, or nil if there is
	// none. It may be nil if a responder has answered, or if Unrevocable is
	// true.
	CRL         *trust.CRL
	Unrevocable bool // the issuer publishes no revocations, see trust.Domain
}

// Prove is like Validate with two times. The certificate must be valid at the
// time at, and its revocation is checked for the time revocation. A caller that
// checks a token again later thus uses the revocations that have become known
// since.
func (v *Validator) Prove(ctx context.Context, token []byte, nonce string, at, revocation time.Time) (Proof, error) {
	path, err := v.Verify(token, nonce, at)
	if err != nil {
		return Proof{}, err
	}
	if err := path.CheckRevocation(ctx, v.OCSP, revocation); err != nil {
		return Proof{}, err
	}
	return Proof{path.Holder, path.CRL(revocation), path.Unrevocable()}, nil
}

// Verify is like Validate without the check for revocation, and uses no
// network. The caller must check revocation with the path's CheckRevocation.
func (v *Validator) Verify(token []byte, nonce string, at time.Time) (*trust.Path, error) {
	if err := checkOrigin(v.Origin); err != nil {
		return nil, err
	}
	if nonce == "" {
		return nil, errors.New("cannot validate token: no nonce is given")
	}
	t, err := Parse(token)
	if err != nil {
		return nil, err
	}
	cert, err := trust.ParseCertificate(t.Certificate)
	if err != nil {
		return nil, err
	}
	path, err := v.Domains.Path(cert, trust.Authenticate, at)
	if err != nil {
		return nil, err
	}
	s, ok := schemes[t.Algorithm]
	if !ok || !s.fits(cert.PublicKey) {
		return nil, trust.Refuse(kiosk.Algorithm, "algorithm %.20q is not for a key of type %T", t.Algorithm, cert.PublicKey)
	}
	if !s.verify(cert.PublicKey, s.digest(v.Origin, nonce), t.Signature) {
		return nil, trust.Refuse(kiosk.Signature, "the signature is not that of the certificate's key over this origin and nonce")
	}
	return path, nil
}
