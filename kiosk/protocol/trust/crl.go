package trust

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// CRL is the list of certificates that one issuer has revoked (RFC 5280 §5).
// ReadCRL has verified its signature.
type CRL struct {
	ThisUpdate time.Time
	NextUpdate time.Time // zero if the CRL has no nextUpdate
	Number     *big.Int  // nil if the CRL has no number

	issuer  []byte // the issuer's name, DER
	revoked serials

	// The scope: which of the issuer's certificates the CRL covers (RFC
	// 5280 §5.2.5).
	onlyUsers, onlyCAs bool
	points             []string // URIs of its distribution point; nil: the CRL covers all
}

// Len returns how many certificates the CRL lists.
func (c *CRL) Len() int { return len(c.revoked) }

// covers reports whether cert is in the scope of c: the issuer, the kind of
// certificate and the distribution point must match.
func (c *CRL) covers(cert *x509.Certificate) bool {
	if !bytes.Equal(c.issuer, cert.RawIssuer) || c.onlyUsers && cert.IsCA || c.onlyCAs && !cert.IsCA {
		return false
	}
	return c.points == nil || slices.ContainsFunc(cert.CRLDistributionPoints, func(p string) bool {
		return slices.Contains(c.points, p)
	})
}

// lists reports whether c lists cert as revoked. The reason does not matter;
// certificateHold counts too.
func (c *CRL) lists(cert *x509.Certificate) bool {
	return c.revoked.has(serialContent(cert.SerialNumber))
}

// serialContent returns the content octets of the INTEGER n, which must not be
// negative.
func serialContent(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}

// forever is the year that CAs write when there is no end. RFC 5280 §4.1.2.5
// defines the value for certificates; as a nextUpdate it sets no limit.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// fresh returns an error if c is too old, or not yet valid, at the given time.
// If maxAge is 0, only nextUpdate limits the age.
func (c *CRL) fresh(at time.Time, skew, maxAge time.Duration) error {
	this := c.ThisUpdate.UTC().Format(time.RFC3339)
	switch {
	case !begun(c.ThisUpdate, at, skew):
		return fmt.Errorf("the CRL is of %s, which is in the future", this)
	case maxAge > 0 && ended(c.ThisUpdate.Add(maxAge), at, skew):
		return fmt.Errorf("the CRL is of %s, older than %s", this, maxAge)
	case c.NextUpdate.IsZero() && maxAge == 0:
		return fmt.Errorf("the CRL of %s names no next one, and no max_crl_age is set", this)
	case !c.NextUpdate.IsZero() && c.NextUpdate.Before(forever) && ended(c.NextUpdate, at, skew):
		return fmt.Errorf("the CRL was good until %s", c.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}
