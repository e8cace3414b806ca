package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/kiosk"
)

// Sizes of the keys that are accepted. 2032 bits, not 2048: moduli a few
// bits short of the round number are in use on cards.
const (
	minRSABits  = 2032
	maxRSABits  = 4096
	minExponent = 65537 // FIPS 186-5 §A.1.1
)

// maxSerial is the longest serial number a certificate may have, in octets
// (RFC 5280 §4.1.2.2).
const maxSerial = 20

// extendedKeyUsages are those of which a certificate that has any must have
// one, all along the path. The certificates of a Smartkort have none.
var extendedKeyUsages = map[Purpose][]x509.ExtKeyUsage{
	Authenticate: {x509.ExtKeyUsageClientAuth},
	Sign:         {x509.ExtKeyUsageEmailProtection},
}

// checkForm refuses what crypto/x509 reads but RFC 5280 forbids.
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

// checkPurpose refuses a certificate that is not for purpose. crypto/x509
// leaves key usage alone and takes an absent extended key usage for any, so
// that by it a signature certificate would authenticate.
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

// checkPolicy refuses a certificate that names no policy the domain asks for
// or one that it refuses. anyPolicy in the certificate of a holder is no
// policy of the domain's.
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

// checkIssuers judges the CAs of a path, the holder's issuer first.
func (d *domain) checkIssuers(issuers []*x509.Certificate) error {
	for _, ca := range issuers[:max(0, len(issuers)-1)] {
		if sha1Signed(ca) {
			return Refuse(kiosk.Algorithm, "the certificate of %q is signed with %s", ca.Subject.CommonName, ca.SignatureAlgorithm)
		}
	}
	return nil
}

// checkCA refuses a certificate that may not issue others.
func checkCA(c *x509.Certificate) error {
	switch {
	case c.Version != 3 || !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("this is no CA certificate (basicConstraints)")
	case c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("this CA may not sign certificates (keyUsage)")
	}
	return checkKey(c.PublicKey)
}

// checkKey refuses a key that is weak or of a kind that is not used.
func checkKey(public any) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSABits || n > maxRSABits {
			return fmt.Errorf("an RSA key of %d bits: %d to %d are accepted", n, minRSABits, maxRSABits)
		}
		if k.E < minExponent || k.E%2 == 0 {
			return fmt.Errorf("an RSA key with public exponent %d: odd ones from %d are accepted", k.E, minExponent)
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("an ECDSA key on %s: P-256, P-384 and P-521 are accepted", k.Params().Name)
	}
	return errors.New("a key that is neither RSA nor ECDSA")
}

// sha1Signed tells whether c is signed over SHA-1 or what is older.
func sha1Signed(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return true
	}
	return false
}
