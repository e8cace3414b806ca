package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"smartkiosk/kiosk"
)

// CheckRevocation checks whether a certificate of p is revoked at the given
// time. It returns nil if the domain is Unrevocable. Each certificate below the
// anchor is revoked if a CRL of the domain lists it.
//
// For the holder's certificate CheckRevocation then sends an OCSP request, if
// the domain has a responder and ocsp is not nil. An answer decides. If there
// is no usable answer, a fresh CRL must cover the certificate. The error is a
// *Refusal with kiosk.Revoked or kiosk.RevocationUnknown.
//
// CheckRevocation sends no OCSP request for a CA's certificate, because the
// operator has put it into the domain.
func (p *Path) CheckRevocation(ctx context.Context, ocsp *OCSP, at time.Time) error {
	d := p.domain
	if d.Unrevocable {
		return nil
	}
	for _, cert := range p.Chain[:len(p.Chain)-1] {
		for _, crl := range d.CRLs {
			if crl.covers(cert) && crl.lists(cert) {
				return Refuse(kiosk.Revoked, "the CRL of %s lists it", crl.ThisUpdate.UTC().Format(time.RFC3339))
			}
		}
	}
	var why error
	if d.OCSP != nil && ocsp != nil {
		answer, err := ocsp.ask(ctx, d, p.Chain[0], p.Chain[1], at)
		switch {
		case err != nil:
			why = fmt.Errorf("no answer of the responder: %w", err)
		case answer.good:
			return nil
		default:
			return answer.refusal()
		}
	}
	if err := d.checkCRLs(p.Chain[0], at); err != nil {
		return &Refusal{kiosk.RevocationUnknown, errors.Join(why, err)}
	}
	return nil
}

// checkCRLs returns nil if a fresh CRL covers cert, and otherwise why not. The
// caller has checked that no CRL lists cert.
func (d *domain) checkCRLs(cert *x509.Certificate, at time.Time) error {
	why := errors.New("no CRL of its issuer is at hand")
	for _, crl := range d.CRLs {
		if !crl.covers(cert) {
			continue
		}
		if why = crl.fresh(at, d.skew(), d.MaxCRLAge); why == nil {
			return nil
		}
	}
	return why
}
