package trust

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"smartkiosk/kiosk"
)

// MaxCertificate is the longest certificate that is read, in bytes of DER.
// Those of a Smartkort have under 2 KB.
const MaxCertificate = 8 << 10

// Choice is the certificate of a card that the person is to use.
type Choice struct {
	Index       int // among those that Choose was given
	Certificate *x509.Certificate
	Holder      kiosk.Holder
}

// Choose picks among the certificates (DER) of one card the one to
// authenticate with at the given time: by the order of the domains, then the
// one valid longest. It looks at nothing that needs the network, nor at
// revocation. When none will do, the *Refusal is that of the certificate
// which came nearest; those for another purpose are never the nearest while
// there is one for authentication.
//
// Authorities (DER) are the CA certificates that the card has on it. At most
// MaxAuthorities of them may stand between a certificate and an anchor; none
// is ever an anchor itself, and those that are no CA's are passed over. A card
// is so not turned away for a CA that is newer than this configuration. It
// does not count for more either: tokens carry no authorities, and Path, Check
// and all that rests on them know those of the configuration alone, so that
// who is let in does not depend on what a card brings along.
func (d *Domains) Choose(certs [][]byte, at time.Time, authorities ...[]byte) (Choice, error) {
	more := readAuthorities(authorities)
	var candidates []Choice
	var nearest *Refusal
	for i, der := range certs {
		c, r := d.consider(der, at, more)
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

// MaxAuthorities is how many CA certificates of a card are looked at.
const MaxAuthorities = 4

// readAuthorities gives those that may stand in a path.
func readAuthorities(ders [][]byte) []*x509.Certificate {
	var cas []*x509.Certificate
	for _, der := range ders[:min(len(ders), MaxAuthorities)] {
		if c, err := ParseCertificate(der); err == nil && CheckCA(c) == nil {
			cas = append(cas, c)
		}
	}
	return cas
}

func (d *Domains) consider(der []byte, at time.Time, more []*x509.Certificate) (Choice, *Refusal) {
	cert, err := ParseCertificate(der)
	if err != nil {
		return Choice{}, err.(*Refusal)
	}
	p, r := d.path(cert, Authenticate, at, more)
	if r != nil {
		return Choice{}, r
	}
	return Choice{Certificate: cert, Holder: p.Holder}, nil
}

// ParseCertificate reads one certificate in DER, of at most MaxCertificate
// bytes. The error is a *Refusal.
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
