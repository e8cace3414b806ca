package trust

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Document is a Domain without its sources of revocation, in a form that a hub
// can send to its kiosks. A kiosk has neither the operator's files nor the
// templates.
type Document struct {
	Name            string    `json:"name"`
	Anchors         [][]byte  `json:"anchors"`                 // DER
	Intermediates   [][]byte  `json:"intermediates,omitempty"` // DER
	Policies        []string  `json:"policies"`
	RefusedPolicies []string  `json:"refused_policies,omitempty"`
	Purposes        []Purpose `json:"purposes"`
	Subject         Subject   `json:"subject"`
	MaxCRLAge       duration  `json:"max_crl_age,omitempty"`
	Skew            duration  `json:"skew,omitempty"`
	Unrevocable     bool      `json:"unrevocable,omitempty"`
}

// MarshalText is the inverse of UnmarshalText.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Documents returns one Document for each domain, in order.
func (d *Domains) Documents() []Document {
	var all []Document
	for _, dom := range d.domains {
		all = append(all, Document{
			Name: dom.Name, Anchors: raw(dom.Anchors), Intermediates: raw(dom.Intermediates),
			Policies: dom.Policies, RefusedPolicies: dom.RefusedPolicies, Purposes: dom.Purposes, Subject: dom.Subject,
			MaxCRLAge: duration(dom.MaxCRLAge), Skew: duration(dom.Skew), Unrevocable: dom.Unrevocable,
		})
	}
	return all
}

func raw(certs []*x509.Certificate) (all [][]byte) {
	for _, c := range certs {
		all = append(all, c.Raw)
	}
	return all
}

// FromDocuments makes domains from the result of Documents. The keys of crls
// are names of domains. The domains have no responder and no CRL URLs. A kiosk
// therefore gets kiosk.RevocationUnknown for a certificate that no CRL covers,
// unless the domain is Unrevocable.
func FromDocuments(documents []Document, crls map[string][]*CRL) (*Domains, error) {
	var all []Domain
	for _, doc := range documents {
		d := Domain{
			Name: doc.Name, Policies: doc.Policies, RefusedPolicies: doc.RefusedPolicies, Purposes: doc.Purposes, Subject: doc.Subject,
			MaxCRLAge: time.Duration(doc.MaxCRLAge), Skew: time.Duration(doc.Skew), Unrevocable: doc.Unrevocable,
			CRLs: newest(crls[doc.Name]),
		}
		if !d.Unrevocable && len(d.CRLs) == 0 {
			d.OCSP = &OCSPRules{} // New requires a source; the kiosk passes no OCSP client, so it is never used
		}
		var err error
		if d.Anchors, err = parseAll(doc.Anchors); err != nil {
			return nil, fmt.Errorf("cannot use trust domain %q: %w", doc.Name, err)
		}
		if d.Intermediates, err = parseAll(doc.Intermediates); err != nil {
			return nil, fmt.Errorf("cannot use trust domain %q: %w", doc.Name, err)
		}
		all = append(all, d)
	}
	return New(all...)
}

func parseAll(ders [][]byte) (certs []*x509.Certificate, err error) {
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("cannot read certificate: %w", err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
