package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"smartkiosk/kiosk"
)

// Path is a certificate that meets every rule of one domain, except that its
// revocation has not been checked.
type Path struct {
	Holder kiosk.Holder
	Chain  []*x509.Certificate // from the holder's certificate to the anchor
	domain *domain
}

// Check checks whether cert may be used for purpose at the given time, and
// returns its holder. It applies the rules of Path and the CRLs of the domain,
// and uses no network. The error is a *Refusal.
func (d *Domains) Check(cert *x509.Certificate, purpose Purpose, at time.Time) (kiosk.Holder, error) {
	p, err := d.Path(cert, purpose, at)
	if err != nil {
		return kiosk.Holder{}, err
	}
	if err := p.CheckRevocation(context.Background(), nil, at); err != nil {
		return kiosk.Holder{}, err
	}
	return p.Holder, nil
}

// Path checks cert at the given time without its revocation. It checks, in this
// order: form, purpose, policy, validity, path, keys and algorithms, subject.
// It tries the domains in order and returns the result of the first one whose
// rules cert meets.
//
// If cert meets the rules of no domain, the *Refusal is that of the domain in
// which cert passed the most checks. A domain that has the issuer as a CA is
// preferred to one that does not.
func (d *Domains) Path(cert *x509.Certificate, purpose Purpose, at time.Time) (*Path, error) {
	p, r := d.path(cert, purpose, at, nil)
	if r != nil {
		return nil, r
	}
	return p, nil
}

// path is Path with additional intermediates.
func (d *Domains) path(cert *x509.Certificate, purpose Purpose, at time.Time, more []*x509.Certificate) (*Path, *Refusal) {
	var nearest *Refusal
	var known bool
	for _, dom := range d.domains {
		p, refusal := dom.path(cert, purpose, at, more)
		if refusal == nil {
			return p, nil
		}
		knows := dom.knowsIssuer(cert)
		if nearest == nil || knows && !known || knows == known && progress(refusal.Reason) > progress(nearest.Reason) {
			nearest, known = refusal, knows
		}
	}
	return nil, nearest
}

// stages are the reasons of Path, in the order of its checks.
var stages = []kiosk.Reason{
	kiosk.Parse, kiosk.Purpose, kiosk.Policy, kiosk.NotYetValid, kiosk.Expired,
	kiosk.NotTrusted, kiosk.Algorithm, kiosk.WeakKey, kiosk.Identifier,
}

// progress returns how many checks a certificate had passed that was refused
// for r.
func progress(r kiosk.Reason) int { return slices.Index(stages, r) }

func (d *domain) path(cert *x509.Certificate, purpose Purpose, at time.Time, more []*x509.Certificate) (*Path, *Refusal) {
	if r := checkForm(cert); r != nil {
		return nil, r
	}
	if r := d.checkPurpose(cert, purpose); r != nil {
		return nil, r
	}
	if r := d.checkPolicy(cert); r != nil {
		return nil, r
	}
	if !begun(cert.NotBefore, at, d.skew()) || at.IsZero() {
		return nil, Refuse(kiosk.NotYetValid, "the certificate is valid from %s", cert.NotBefore.UTC().Format(time.RFC3339))
	}
	if ended(cert.NotAfter, at, d.skew()) {
		return nil, Refuse(kiosk.Expired, "the certificate was valid until %s", cert.NotAfter.UTC().Format(time.RFC3339))
	}
	if sha1Signed(cert) {
		return nil, Refuse(kiosk.Algorithm, "the certificate is signed with %s", cert.SignatureAlgorithm)
	}
	chain, r := d.chain(cert, purpose, at, more)
	if r != nil {
		return nil, r
	}
	if err := checkKey(cert.PublicKey); err != nil {
		return nil, Refuse(kiosk.WeakKey, "the certificate has %w", err)
	}
	holder, r := d.holder(cert)
	if r != nil {
		return nil, r
	}
	return &Path{Holder: holder, Chain: chain, domain: d}, nil
}

// chain returns a path from cert to an anchor (RFC 5280 §6.1).
func (d *domain) chain(cert *x509.Certificate, purpose Purpose, at time.Time, more []*x509.Certificate) ([]*x509.Certificate, *Refusal) {
	intermediates := d.intermediates
	if len(more) > 0 {
		intermediates = intermediates.Clone()
		for _, c := range more {
			intermediates.AddCert(withNameConstraints(c))
		}
	}
	// crypto/x509 has no allowance for skew, so try the time itself and both ends of the skew.
	var chains [][]*x509.Certificate
	var err error
	for _, move := range []time.Duration{0, d.skew(), -d.skew()} {
		chains, err = cert.Verify(x509.VerifyOptions{
			Roots:         d.anchors,
			Intermediates: intermediates,
			CurrentTime:   clamp(at.Add(move), cert.NotBefore, cert.NotAfter),
			KeyUsages:     extendedKeyUsages[purpose],
		})
		if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || invalid.Reason != x509.Expired {
			break
		}
	}
	if err != nil {
		return nil, Refuse(kiosk.NotTrusted, "no path to an anchor of trust domain %s: %s", d.Name, withoutNames(err))
	}
	var refusal *Refusal
	for _, chain := range chains {
		if refusal = d.checkChain(chain); refusal == nil {
			return chain, nil
		}
	}
	return nil, refusal
}
