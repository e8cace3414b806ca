package trust

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Source is a place to download CRLs of a domain from.
type Source struct {
	Domain  string
	URL     string
	Issuers []*x509.Certificate // one of them must have signed the CRL
}

// Sources returns the download locations of the CRLs of all domains (crl_urls).
func (d *Domains) Sources() []Source {
	var all []Source
	for _, dom := range d.domains {
		for _, u := range dom.CRLURLs {
			all = append(all, Source{dom.Name, u, slices.Concat(dom.Intermediates, dom.Anchors)})
		}
	}
	return all
}

// CRLs returns the CRLs of the domain with the given name.
func (d *Domains) CRLs(domain string) []*CRL {
	for _, dom := range d.domains {
		if dom.Name == domain {
			return slices.Clone(dom.CRLs)
		}
	}
	return nil
}

// WithCRLs returns a copy of the domains with more CRLs. The keys of more are
// names of domains. Of several CRLs with the same scope, only the newest is
// kept.
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

// sameScope reports whether c and other cover the same certificates.
func (c *CRL) sameScope(other *CRL) bool {
	return bytes.Equal(c.issuer, other.issuer) && c.onlyUsers == other.onlyUsers && c.onlyCAs == other.onlyCAs &&
		(c.points == nil) == (other.points == nil) && slices.Equal(c.points, other.points)
}

// Before reports whether c is older than other: by thisUpdate and, if that is
// equal, by number.
func (c *CRL) Before(other *CRL) bool {
	if !c.ThisUpdate.Equal(other.ThisUpdate) {
		return c.ThisUpdate.Before(other.ThisUpdate)
	}
	return c.Number != nil && other.Number != nil && c.Number.Cmp(other.Number) < 0
}

// CRL returns the newest CRL that covers the holder's certificate and is fresh
// at the given time. It returns nil if there is no such CRL.
func (p *Path) CRL(at time.Time) (found *CRL) {
	d := p.domain
	for _, c := range d.CRLs {
		if c.covers(p.Chain[0]) && c.fresh(at, d.skew(), d.MaxCRLAge) == nil && (found == nil || found.Before(c)) {
			found = c
		}
	}
	return found
}

// Unrevocable reports whether the issuers in the domain of p publish no
// revocations, see Domain.
func (p *Path) Unrevocable() bool { return p.domain.Unrevocable }
