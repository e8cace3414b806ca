package trust

import (
	"bytes"
	"slices"
	"time"
)

// Revocation is an OCSP answer that a certificate is revoked.
type Revocation struct {
	Domain string    `json:"domain"`
	Issuer []byte    `json:"issuer"` // the issuer's name, DER
	Serial []byte    `json:"serial"` // content octets of the serial number's INTEGER
	At     time.Time `json:"at"`     // thisUpdate of the answer
}

// crlLag is how long after an OCSP answer a CRL may still not list the certificate. A
// CRL that is newer than that is complete without the answer. So a certificate that its
// CA no longer revokes, for example after certificateHold, is accepted again.
const crlLag = 24 * time.Hour

// WithRevoked returns a copy of the domains in which each CRL also lists the certificates
// of its issuer that an OCSP responder has called revoked. A CRL that is more than crlLag
// newer than the OCSP answer stays as it is.
func (d *Domains) WithRevoked(revoked []Revocation) *Domains {
	out := &Domains{}
	for _, dom := range d.domains {
		extended := *dom
		extended.CRLs = nil
		for _, crl := range dom.CRLs {
			extended.CRLs = append(extended.CRLs, crl.with(dom.Name, revoked))
		}
		out.domains = append(out.domains, &extended)
	}
	return out
}

// with returns a copy of c to which it has added the missing revoked certificates, or c
// itself if none is missing.
func (c *CRL) with(domain string, revoked []Revocation) *CRL {
	var more serials
	for _, r := range revoked {
		if r.Domain == domain && bytes.Equal(r.Issuer, c.issuer) && !c.ThisUpdate.After(r.At.Add(crlLag)) && !c.revoked.has(r.Serial) {
			more = append(more, mark(r.Serial))
		}
	}
	if more == nil {
		return c
	}
	extended := *c
	extended.revoked = slices.Concat(c.revoked, more)
	slices.Sort(extended.revoked)
	return &extended
}
