package webeid

import (
	"context"
	"errors"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// Validator judges tokens for one server. It keeps nothing: to give out
// nonces, to bind each to one kiosk, to let it expire and to take it once
// only is the server's part, before or after Validate.
type Validator struct {
	Origin  string // of the server, `https://host[:port]`
	Domains *trust.Domains
	OCSP    *trust.OCSP // nil: no responder is asked
}

// Validate tells whom token proves, for the nonce that the server gave out
// and the time it is received. It looks, in this order, at length and form,
// format, certificate, purpose, policy, validity, path, signature and
// revocation. A token that proves nobody gives a *trust.Refusal; any other
// error says that the validator cannot judge.
func (v *Validator) Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error) {
	p, err := v.Prove(ctx, token, nonce, at, at)
	return p.Holder, err
}

// Proof is what a valid token proves, and on what it rests.
type Proof struct {
	Holder kiosk.Holder
	// CRL is the newest that speaks for the certificate, nil if none does. It
	// may be nil where a responder was asked, or where nobody can be.
	CRL         *trust.CRL
	Unrevocable bool // nobody says what its issuer revokes, see trust.Domain
}

// Prove is Validate for two times: the certificate has to be valid at the one,
// and by what is known of revocation at the other. A token that is looked at
// again later is held against what has become known since.
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

// Verify is Validate without revocation: it uses no network. The caller checks
// revocation with the path's CheckRevocation.
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
