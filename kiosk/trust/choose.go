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
func (d *Domains) Choose(certs [][]byte, at time.Time) (Choice, error) {
	var candidates []Choice
	var nearest *Refusal
	for i, der := range certs {
		c, r := d.consider(der, at)
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

func (d *Domains) consider(der []byte, at time.Time) (Choice, *Refusal) {
	cert, err := ParseCertificate(der)
	if err != nil {
		return Choice{}, err.(*Refusal)
	}
	p, r := d.path(cert, Authenticate, at)
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
