package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Domain is a set of issuers that are trusted together, and the requirements
// for the certificates that they issue.
type Domain struct {
	Name          string              // lower-case letters, digits and hyphens
	Anchors       []*x509.Certificate // CAs at which a path may end
	Intermediates []*x509.Certificate // CAs between an anchor and a holder

	// A certificate must name at least one of Policies (dotted OIDs). If
	// Policies is AnyPolicy alone, a certificate needs no policy. It must
	// name none of RefusedPolicies.
	Policies        []string
	RefusedPolicies []string

	Purposes []Purpose // what the domain's certificates may be used for; empty means Authenticate
	Subject  Subject   // how the holder is named

	// The sources of revocation. New requires at least one of OCSP, CRLs
	// and CRLURLs, unless Unrevocable is set. A certificate that a CRL
	// lists is revoked; otherwise the answer of the responder comes before
	// the CRLs.
	OCSP      *OCSPRules // nil: the domain has no responder
	CRLs      []*CRL
	CRLURLs   []string      // where to download CRLs, http or https; see Sources
	MaxCRLAge time.Duration // since thisUpdate, an older CRL is refused; 0: only nextUpdate limits the age
	Skew      time.Duration // the allowance for clock skew; 0 for DefaultSkew

	// Unrevocable means that the issuers publish no revocations.
	// CheckRevocation then accepts every certificate.
	Unrevocable bool
}

// AnyPolicy in Domain.Policies means that a certificate needs no policy: the
// issuer alone decides.
const AnyPolicy = "any"

// Domains are the trust domains of a hub or a kiosk, most preferred first. They
// are immutable and safe for concurrent use.
type Domains struct{ domains []*domain }

// domain is a checked Domain with its certificate pools.
type domain struct {
	Domain
	anchors, intermediates *x509.CertPool
}

var domainName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// New checks the domains, given most preferred first. It returns an error if a
// domain is incomplete or contradicts itself, if two have the same name, or if
// CheckCA refuses one of the CAs.
func New(domains ...Domain) (*Domains, error) {
	d := &Domains{}
	for _, in := range domains {
		out, err := prepare(in)
		if err != nil {
			return nil, fmt.Errorf("cannot use trust domain %q: %w", in.Name, err)
		}
		if slices.ContainsFunc(d.domains, func(other *domain) bool { return other.Name == in.Name }) {
			return nil, fmt.Errorf("cannot use trust domain %q: there are two of that name", in.Name)
		}
		d.domains = append(d.domains, out)
	}
	if len(d.domains) == 0 {
		return nil, errors.New("cannot trust anybody: no trust domain is given")
	}
	return d, nil
}

func prepare(in Domain) (*domain, error) {
	if !domainName.MatchString(in.Name) {
		return nil, errors.New("its name must be lower-case letters, digits and hyphens")
	}
	if len(in.Anchors) == 0 {
		return nil, errors.New("it has no anchors")
	}
	if err := checkPolicies(in); err != nil {
		return nil, err
	}
	if len(in.Purposes) == 0 {
		in.Purposes = []Purpose{Authenticate}
	}
	for _, p := range in.Purposes {
		if p != Authenticate && p != Sign {
			return nil, fmt.Errorf("unknown purpose %q: there are %q and %q", p, Authenticate, Sign)
		}
	}
	if !in.Subject.known() {
		return nil, fmt.Errorf("unknown way to name the subject %q: there are %q", in.Subject, subjects)
	}
	for _, address := range in.CRLURLs {
		if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%.100q is no http URL of a CRL", address)
		}
	}
	switch sources := len(in.CRLs)+len(in.CRLURLs) > 0 || in.OCSP != nil; {
	case !sources && !in.Unrevocable:
		return nil, errors.New("it has no way to learn what was revoked: give crls, crl_urls or a table ocsp, or say revocation = \"none\"")
	case sources && in.Unrevocable:
		return nil, errors.New("it has a way to learn what was revoked, yet says revocation = \"none\"")
	case in.MaxCRLAge < 0 || in.Skew < 0 || in.OCSP != nil && (in.OCSP.Timeout < 0 || in.OCSP.MaxAge < 0):
		return nil, errors.New("it has a negative time span")
	}
	d := &domain{Domain: in, anchors: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	for _, c := range in.Anchors {
		if err := CheckCA(c); err != nil {
			return nil, fmt.Errorf("anchor %q: %w", c.Subject.CommonName, err)
		}
		d.anchors.AddCert(withNameConstraints(c))
	}
	for _, c := range in.Intermediates {
		if err := CheckCA(c); err != nil {
			return nil, fmt.Errorf("intermediate %q: %w", c.Subject.CommonName, err)
		}
		d.intermediates.AddCert(withNameConstraints(c))
	}
	return d, nil
}

func checkPolicies(in Domain) error {
	if len(in.Policies) == 0 {
		return fmt.Errorf("it asks for no policies: name them, or %q if the issuer alone decides", AnyPolicy)
	}
	for _, p := range slices.Concat(in.Policies, in.RefusedPolicies) {
		if p == AnyPolicy {
			continue
		}
		if _, err := x509.ParseOID(p); err != nil {
			return fmt.Errorf("policy %q is no object identifier", p)
		}
	}
	if slices.Contains(in.Policies, AnyPolicy) && len(in.Policies) > 1 {
		return fmt.Errorf("policy %q must be the only one", AnyPolicy)
	}
	if slices.Contains(in.RefusedPolicies, AnyPolicy) {
		return fmt.Errorf("refused policy %q would refuse everybody", AnyPolicy)
	}
	for _, p := range in.Policies {
		if slices.Contains(in.RefusedPolicies, p) {
			return fmt.Errorf("policy %s is both asked for and refused", p)
		}
	}
	return nil
}

// Names returns the names of the domains in order.
func (d *Domains) Names() []string {
	names := make([]string, len(d.domains))
	for i, dom := range d.domains {
		names[i] = dom.Name
	}
	return names
}

func (d *domain) skew() time.Duration {
	if d.Skew == 0 {
		return DefaultSkew
	}
	return d.Skew
}

// knowsIssuer reports whether a CA of d has the name of c's issuer.
func (d *domain) knowsIssuer(c *x509.Certificate) bool {
	return slices.ContainsFunc(slices.Concat(d.Anchors, d.Intermediates), func(ca *x509.Certificate) bool {
		return bytes.Equal(ca.RawSubject, c.RawIssuer)
	})
}
