package trust

import (
	"testing"
	"time"
)

// A CRL lists a certificate that OCSP has called revoked, until the CRL is so new that
// it would list the certificate itself.
func TestCRLWithRevokedByOCSP(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	serial := []byte{0x12, 0x34}
	answer := Revocation{Domain: "d", Issuer: []byte("ca"), Serial: serial, At: at}
	crl := func(issuer string, thisUpdate time.Time) *CRL {
		return &CRL{issuer: []byte(issuer), ThisUpdate: thisUpdate, revoked: serials{1, 1 << 63}}
	}
	for _, tt := range []struct {
		name   string
		domain string
		crl    *CRL
		listed bool
	}{
		{"an older CRL", "d", crl("ca", at.Add(-time.Hour)), true},
		{"a CRL from just after the answer", "d", crl("ca", at.Add(crlLag)), true},
		{"a CRL that had time to list it", "d", crl("ca", at.Add(crlLag+time.Second)), false},
		{"the CRL of another CA", "d", crl("other", at), false},
		{"another trust domain", "e", crl("ca", at), false},
	} {
		d := &Domains{domains: []*domain{{Domain: Domain{Name: tt.domain, CRLs: []*CRL{tt.crl}}}}}
		got := d.WithRevoked([]Revocation{answer}).CRLs(tt.domain)[0]
		if got.revoked.has(serial) != tt.listed {
			t.Errorf("%s: listed %t, want %t", tt.name, !tt.listed, tt.listed)
		}
		if tt.crl.revoked.has(serial) {
			t.Errorf("%s: the original CRL was changed", tt.name)
		}
		if tt.listed && (got.Len() != 3 || got.revoked[0] != 1 || got.revoked[2] != 1<<63) {
			t.Errorf("%s: the set is %v", tt.name, got.revoked)
		}
	}
}
