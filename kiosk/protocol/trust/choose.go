package trust

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"smartkiosk/kiosk"
)

// MaxCertificate is the longest certificate that ParseCertificate accepts, in
// bytes of DER. The certificates of a Smartkort have less than 2 KB.
const MaxCertificate = 8 << 10

// Choice is the certificate that Choose selected from a card.
type Choice struct {
	Index       int // in the list that was passed to Choose
	Certificate *x509.Certificate
	Holder      kiosk.Holder
	Chain       []*x509.Certificate // from the certificate to the anchor
}

// Choose selects the certificate of a card to authenticate with at the given
// time. certs are the certificates of one card, in DER. A certificate of an
// earlier domain is preferred; within a domain, the certificate with the latest
// notAfter. Choose uses no network and does not check revocation.
//
// If no certificate is acceptable, Choose returns the *Refusal of the
// certificate that passed the most checks (see Path). A certificate for another
// purpose fails early, so its refusal is returned only if the card has no
// certificate for authentication.
//
// Authorities (DER) are CA certificates that are stored on the card. Choose
// uses the first MaxAuthorities of them as further intermediates between a
// certificate and an anchor, so that a card still works when its CA is newer
// than this configuration. It never uses them as anchors, and it ignores
// certificates that are not of a CA. A CA certificate from a card gives no
// access: tokens carry no authorities, and Path and Check use only the CAs of
// the configuration.
func (d *Domains) Choose(certs [][]byte, at time.Time, authorities ...[]byte) (Choice, error) {
	return d.ChooseFor(Authenticate, certs, at, authorities...)
}

// ChooseFor is like Choose for any purpose.
func (d *Domains) ChooseFor(purpose Purpose, certs [][]byte, at time.Time, authorities ...[]byte) (Choice, error) {
	more := readAuthorities(authorities)
	var candidates []Choice
	var nearest *Refusal
	for i, der := range certs {
		c, r := d.consider(der, purpose, at, more)
		if r == nil {
			c.Index = i
			candidates = append(candidates, c)
		} else if nearest == nil || progress(r.Reason) > progress(nearest.Reason) {
			nearest = r
		}
	}
	if len(candidates) == 0 {
		if nearest == nil {
			nearest = Refuse(kiosk.Purpose, "the card has no certificate")
		}
		return Choice{}, nearest
	}
	names := d.Names()
	return slices.MinFunc(candidates, func(a, b Choice) int {
		return cmp.Or(
			cmp.Compare(slices.Index(names, a.Holder.Domain), slices.Index(names, b.Holder.Domain)),
			b.Certificate.NotAfter.Compare(a.Certificate.NotAfter),
		)
	}), nil
}

// MaxAuthorities is how many CA certificates of a card Choose reads.
const MaxAuthorities = 4

// readAuthorities returns the certificates that may be intermediates in a path.
func readAuthorities(ders [][]byte) []*x509.Certificate {
	var cas []*x509.Certificate
	for _, der := range ders[:min(len(ders), MaxAuthorities)] {
		if c, err := ParseCertificate(der); err == nil && CheckCA(c) == nil {
			cas = append(cas, c)
		}
	}
	return cas
}

func (d *Domains) consider(der []byte, purpose Purpose, at time.Time, more []*x509.Certificate) (Choice, *Refusal) {
	cert, err := ParseCertificate(der)
	if err != nil {
		return Choice{}, err.(*Refusal)
	}
	p, r := d.path(cert, purpose, at, more)
	if r != nil {
		return Choice{}, r
	}
	return Choice{Certificate: cert, Holder: p.Holder, Chain: p.Chain}, nil
}

// ParseCertificate reads one certificate in DER. It refuses more than
// MaxCertificate bytes. The error is a *Refusal with kiosk.Parse.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > MaxCertificate {
		return nil, Refuse(kiosk.Parse, "cannot read certificate: it has %d bytes, at most %d are read", len(der), MaxCertificate)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Refuse(kiosk.Parse, "cannot read certificate: %s", withoutNames(err))
	}
	return cert, nil
}
