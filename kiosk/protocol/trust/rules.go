package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/kiosk"
)

// maxSerial is the maximum length of a certificate's serial number, in octets
// (RFC 5280 §4.1.2.2).
const maxSerial = 20

// extendedKeyUsages are the extended key usages for each purpose. If a
// certificate of the path has extended key usages at all, it must have one of
// these. The certificates of a Smartkort have none.
var extendedKeyUsages = map[Purpose][]x509.ExtKeyUsage{
	Authenticate: {x509.ExtKeyUsageClientAuth},
	Sign:         {x509.ExtKeyUsageEmailProtection},
}

// checkForm refuses a certificate that crypto/x509 reads but RFC 5280 forbids.
func checkForm(cert *x509.Certificate) *Refusal {
	switch {
	case len(cert.Raw) == 0:
		return Refuse(kiosk.Parse, "the certificate was not read from DER")
	case cert.Version != 3:
		return Refuse(kiosk.Parse, "the certificate is of version %d", cert.Version)
	case len(cert.SerialNumber.Bytes()) > maxSerial || cert.SerialNumber.Sign() <= 0:
		return Refuse(kiosk.Parse, "the certificate's serial number is not positive or longer than %d octets", maxSerial)
	}
	return nil
}

// checkPurpose refuses a certificate that is not for purpose. crypto/x509 does
// not check the key usage and treats a missing extended key usage as any, so it
// would accept a signature certificate for authentication.
func (d *domain) checkPurpose(cert *x509.Certificate, purpose Purpose) *Refusal {
	refuse := func(format string, args ...any) *Refusal { return Refuse(kiosk.Purpose, format, args...) }
	if !slices.Contains(d.Purposes, purpose) {
		return refuse("trust domain %s is not for purpose %q", d.Name, purpose)
	}
	if cert.IsCA {
		return refuse("the certificate is that of a CA")
	}
	switch purpose {
	case Authenticate:
		if cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			return refuse("the certificate's key usage is without digitalSignature")
		}
	case Sign:
		if cert.KeyUsage&x509.KeyUsageContentCommitment == 0 {
			return refuse("the certificate's key usage is without nonRepudiation")
		}
	}
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return nil
	}
	for _, u := range cert.ExtKeyUsage {
		if u == x509.ExtKeyUsageAny || slices.Contains(extendedKeyUsages[purpose], u) {
			return nil
		}
	}
	return refuse("the certificate's extended key usage is for something else")
}

// checkPolicy refuses a certificate that names none of the domain's policies or
// one of its refused policies. The value anyPolicy in a holder's certificate
// does not match any policy of the domain.
func (d *domain) checkPolicy(cert *x509.Certificate) *Refusal {
	asked := slices.Contains(d.Policies, AnyPolicy)
	for _, oid := range cert.Policies {
		p := oid.String()
		if slices.Contains(d.RefusedPolicies, p) {
			return Refuse(kiosk.Policy, "trust domain %s refuses policy %s", d.Name, p)
		}
		asked = asked || slices.Contains(d.Policies, p)
	}
	if !asked {
		return Refuse(kiosk.Policy, "the certificate names none of the policies %q of trust domain %s", d.Policies, d.Name)
	}
	return nil
}

// checkChain checks a path for what crypto/x509 does not check: name
// constraints on directory names, and whether the intermediate CAs may issue
// certificates with the holder's policy. A CA certificate without policies
// passes, because the operator has chosen it.
func (d *domain) checkChain(chain []*x509.Certificate) *Refusal {
	if err := checkDirectoryNames(chain); err != nil {
		return &Refusal{kiosk.NotTrusted, err}
	}
	if slices.Contains(d.Policies, AnyPolicy) {
		return nil
	}
	for _, ca := range chain[1:max(1, len(chain)-1)] {
		if len(ca.Policies) > 0 && !slices.ContainsFunc(ca.Policies, func(oid x509.OID) bool {
			p := oid.String()
			return p == oidAnyPolicy || slices.Contains(d.Policies, p) && hasPolicy(chain[0], p)
		}) {
			return Refuse(kiosk.Policy, "the certificate of CA %q allows none of its policies", ca.Subject.CommonName)
		}
	}
	return nil
}

const oidAnyPolicy = "2.5.29.32.0" // RFC 5280 §4.2.1.4

func hasPolicy(cert *x509.Certificate, policy string) bool {
	return slices.ContainsFunc(cert.Policies, func(oid x509.OID) bool { return oid.String() == policy })
}

// CheckCA returns an error if c may not issue certificates, or if its key or
// its signature is too weak for a CA.
func CheckCA(c *x509.Certificate) error {
	switch {
	case c.Version != 3 || !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("this is no CA certificate (basicConstraints)")
	case c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("this CA may not sign certificates (keyUsage)")
	}
	if err := checkKey(c.PublicKey); err != nil {
		return fmt.Errorf("this CA has %w", err)
	}
	if sha1Signed(c) && !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return fmt.Errorf("this CA's certificate is signed with %s", c.SignatureAlgorithm)
	}
	return nil
}

// sha1Signed reports whether c is signed with SHA-1 or an older hash.
func sha1Signed(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return true
	}
	return false
}
