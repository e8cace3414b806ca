package trust

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// CRL is what one issuer has revoked (RFC 5280 §5), its signature checked.
type CRL struct {
	ThisUpdate time.Time
	NextUpdate time.Time // zero if the CRL says none
	Number     *big.Int  // nil if it has none

	issuer  []byte // the issuer's name, DER
	revoked serials

	// The certificates it is about, of all that the issuer has issued (RFC
	// 5280 §5.2.5).
	onlyUsers, onlyCAs bool
	points             []string // URIs of its distribution point; nil for any
}

// Len gives how many certificates the CRL lists.
func (c *CRL) Len() int { return len(c.revoked) }

// covers tells whether c is about cert.
func (c *CRL) covers(cert *x509.Certificate) bool {
	if !bytes.Equal(c.issuer, cert.RawIssuer) || c.onlyUsers && cert.IsCA || c.onlyCAs && !cert.IsCA {
		return false
	}
	return c.points == nil || slices.ContainsFunc(cert.CRLDistributionPoints, func(p string) bool {
		return slices.Contains(c.points, p)
	})
}

// lists tells whether c says that cert is revoked, for whatever reason:
// certificateHold is one.
func (c *CRL) lists(cert *x509.Certificate) bool {
	return c.revoked.has(serialContent(cert.SerialNumber))
}

// serialContent gives the content octets of a serial number that is positive.
func serialContent(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}

// forever is where CAs put the end of what has none: a nextUpdate in 9999
// (RFC 5280 §4.1.2.5 has the value for certificates) promises nothing.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// fresh tells by an error whether c may be gone by at the given time.
func (c *CRL) fresh(at time.Time, skew, maxAge time.Duration) error {
	this := c.ThisUpdate.UTC().Format(time.RFC3339)
	switch {
	case !begun(c.ThisUpdate, at, skew):
		return fmt.Errorf("the CRL is of %s, which is to come", this)
	case maxAge > 0 && ended(c.ThisUpdate.Add(maxAge), at, skew):
		return fmt.Errorf("the CRL is of %s, older than %s", this, maxAge)
	case c.NextUpdate.IsZero() && maxAge == 0:
		return fmt.Errorf("the CRL of %s names no next one, and no max_crl_age is set", this)
	case !c.NextUpdate.IsZero() && c.NextUpdate.Before(forever) && ended(c.NextUpdate, at, skew):
		return fmt.Errorf("the CRL was good until %s", c.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}
