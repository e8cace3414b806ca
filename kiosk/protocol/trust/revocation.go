package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"smartkiosk/kiosk"
)

// CheckRevocation judges whether a certificate of p was revoked, at the given
// time. What a CRL of the domain lists is revoked. For the holder's
// certificate the responder is asked, if the domain has one and ocsp is not
// nil; if it cannot be asked or its answer is of no use, a CRL has to speak
// for the certificate. The error is a *Refusal; not to know is one.
//
// A CA's certificate was put into the domain by its operator: it is revoked
// if a CRL lists it, and nobody is asked.
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

// checkCRLs tells by an error why no CRL says that cert, which none lists, is
// good.
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
