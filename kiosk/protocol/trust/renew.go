package trust

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Source is where a domain's CRLs are to be had.
type Source struct {
	Domain  string
	URL     string
	Issuers []*x509.Certificate // one of whom must have signed it
}

// Sources gives where the CRLs of all domains are to be had (crl_urls).
func (d *Domains) Sources() []Source {
	var all []Source
	for _, dom := range d.domains {
		for _, u := range dom.CRLURLs {
			all = append(all, Source{dom.Name, u, slices.Concat(dom.Intermediates, dom.Anchors)})
		}
	}
	return all
}

// CRLs gives the CRLs that a domain has.
func (d *Domains) CRLs(domain string) []*CRL {
	for _, dom := range d.domains {
		if dom.Name == domain {
			return slices.Clone(dom.CRLs)
		}
	}
	return nil
}

// WithCRLs gives the same domains with these CRLs, by the name of their domain,
// beside those that they have. Of several about the same the newest stays.
func (d *Domains) WithCRLs(more map[string][]*CRL) *Domains {
	out := &Domains{}
	for _, dom := range d.domains {
		renewed := *dom
		renewed.CRLs = newest(slices.Concat(dom.CRLs, more[dom.Name]))
		out.domains = append(out.domains, &renewed)
	}
	return out
}

func newest(crls []*CRL) (kept []*CRL) {
	for _, c := range crls {
		i := slices.IndexFunc(kept, c.sameScope)
		switch {
		case i < 0:
			kept = append(kept, c)
		case !c.Before(kept[i]):
			kept[i] = c
		}
	}
	return kept
}

// sameScope tells whether c and other are about the same certificates.
func (c *CRL) sameScope(other *CRL) bool {
	return bytes.Equal(c.issuer, other.issuer) && c.onlyUsers == other.onlyUsers && c.onlyCAs == other.onlyCAs &&
		(c.points == nil) == (other.points == nil) && slices.Equal(c.points, other.points)
}

// Before tells whether c was made before other, by their thisUpdate and, if
// that is the same, by their numbers.
func (c *CRL) Before(other *CRL) bool {
	if !c.ThisUpdate.Equal(other.ThisUpdate) {
		return c.ThisUpdate.Before(other.ThisUpdate)
	}
	return c.Number != nil && other.Number != nil && c.Number.Cmp(other.Number) < 0
}

// CRL gives the newest CRL that speaks for the holder's certificate at the
// given time, nil if none does.
func (p *Path) CRL(at time.Time) (found *CRL) {
	d := p.domain
	for _, c := range d.CRLs {
		if c.covers(p.Chain[0]) && c.fresh(at, d.skew(), d.MaxCRLAge) == nil && (found == nil || found.Before(c)) {
			found = c
		}
	}
	return found
}

// Unrevocable tells whether the domain of p has said that nobody is asked
// what was revoked.
func (p *Path) Unrevocable() bool { return p.domain.Unrevocable }
