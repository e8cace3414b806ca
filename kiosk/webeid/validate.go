package webeid

import (
	"context"
	"errors"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/trust"
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
// format, certificate, purpose, policy, validity, path, revocation and
// signature. A token that proves nobody gives a *trust.Refusal; any other
// error says that the validator cannot judge.
func (v *Validator) Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error) {
	if err := checkOrigin(v.Origin); err != nil {
		return kiosk.Holder{}, err
	}
	if nonce == "" {
		return kiosk.Holder{}, errors.New("cannot validate token: no nonce is given")
	}
	t, err := Parse(token)
	if err != nil {
		return kiosk.Holder{}, err
	}
	cert, err := trust.ParseCertificate(t.Certificate)
	if err != nil {
		return kiosk.Holder{}, err
	}
	path, err := v.Domains.Path(cert, trust.Authenticate, at)
	if err != nil {
		return kiosk.Holder{}, err
	}
	if err := path.CheckRevocation(ctx, v.OCSP, at); err != nil {
		return kiosk.Holder{}, err
	}
	s, ok := schemes[t.Algorithm]
	if !ok || !s.fits(cert.PublicKey) {
		return kiosk.Holder{}, trust.Refuse(kiosk.Algorithm, "algorithm %.20q is not for a key of type %T", t.Algorithm, cert.PublicKey)
	}
	if !s.verify(cert.PublicKey, s.digest(v.Origin, nonce), t.Signature) {
		return kiosk.Holder{}, trust.Refuse(kiosk.Signature, "the signature is not that of the certificate's key over this origin and nonce")
	}
	return path.Holder, nil
}
