package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"reflect"
	"testing"
	"time"
)

// A path may consist of the card's certificate alone, if the operator made that
// certificate an anchor.
func TestPathOfOne(t *testing.T) {
	_, cert := longCRL(t, 0)
	d := &domain{Domain: Domain{Policies: []string{"2.16.578.1.26.1.3.1"}}}
	if r := d.checkChain([]*x509.Certificate{cert}); r != nil {
		t.Errorf("refused: %v", r)
	}
}

// TestPoliciesOfCAs: a CA between the holder and the anchor must allow one of the
// domain's policies that the holder's certificate has. A CA without policies allows
// all, and the anchor's policies do not count, because the operator chose it.
func TestPoliciesOfCAs(t *testing.T) {
	oid := func(text string) x509.OID {
		t.Helper()
		o, err := x509.ParseOID(text)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const wanted, other = "2.16.578.1.26.1.3.1", "2.16.578.1.26.1.3.6"
	certificate := func(policies ...string) *x509.Certificate {
		c := &x509.Certificate{RawSubject: []byte{0x30, 0}}
		for _, p := range policies {
			c.Policies = append(c.Policies, oid(p))
		}
		return c
	}
	for name, tt := range map[string]struct {
		holder, ca, anchor *x509.Certificate
		any                bool // the domain accepts every policy
		ok                 bool
	}{
		"the same policy":                                {certificate(wanted), certificate(wanted), certificate(), false, true},
		"one of several":                                 {certificate(wanted, other), certificate(other, wanted), certificate(), false, true},
		"a CA without policies":                          {certificate(wanted), certificate(), certificate(), false, true},
		"a CA of any policy":                             {certificate(wanted), certificate(oidAnyPolicy), certificate(), false, true},
		"a CA of another policy":                         {certificate(wanted), certificate(other), certificate(), false, false},
		"a holder of another policy":                     {certificate(other), certificate(wanted), certificate(), false, false},
		"a policy of both that the domain does not want": {certificate(other), certificate(other), certificate(), false, false},
		"an anchor of another policy":                    {certificate(wanted), certificate(wanted), certificate(other), false, true},
		"a domain of any policy":                         {certificate(wanted), certificate(other), certificate(), true, true},
	} {
		d := &domain{Domain: Domain{Policies: []string{wanted}}}
		if tt.any {
			d.Policies = []string{AnyPolicy}
		}
		if r := d.checkChain([]*x509.Certificate{tt.holder, tt.ca, tt.anchor}); (r == nil) != tt.ok {
			t.Errorf("%s: %v", name, r)
		}
	}
}

// Path.CRL skips the CRLs that do not cover the certificate or are not fresh, and
// returns the newest of the others.
func TestPathCRL(t *testing.T) {
	older, _ := aSet(t, 1)
	cert := &x509.Certificate{RawIssuer: older.issuer}
	at := older.ThisUpdate
	older.NextUpdate = at.AddDate(0, 0, 1)
	change := func(f func(*CRL)) *CRL { c := *older; f(&c); return &c }
	newer := change(func(c *CRL) { c.Number = big.NewInt(2) })
	another := change(func(c *CRL) { c.Number, c.issuer = big.NewInt(3), []byte("another") })
	stale := change(func(c *CRL) { c.Number, c.NextUpdate = big.NewInt(4), at.AddDate(0, 0, -1) })
	for _, tt := range []struct {
		name string
		crls []*CRL
		want *CRL
	}{
		{"none", nil, nil},
		{"another issuer's", []*CRL{another}, nil},
		{"stale", []*CRL{stale}, nil},
		{"newest last", []*CRL{another, stale, older, newer}, newer},
		{"newest first", []*CRL{newer, older, stale, another}, newer},
	} {
		p := &Path{Chain: []*x509.Certificate{cert}, domain: &domain{Domain: Domain{CRLs: tt.crls}}}
		if got := p.CRL(at); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// TestSameScope: CRLs that cover different certificates do not replace each other.
func TestSameScope(t *testing.T) {
	whole := CRL{issuer: []byte("a")}
	for name, other := range map[string]CRL{
		"another issuer":      {issuer: []byte("b")},
		"holders only":        {issuer: []byte("a"), onlyUsers: true},
		"CAs only":            {issuer: []byte("a"), onlyCAs: true},
		"one point":           {issuer: []byte("a"), points: []string{"http://crl.example/1"}},
		"a point without URI": {issuer: []byte("a"), points: []string{}},
	} {
		if whole.sameScope(&other) || other.sameScope(&whole) || !other.sameScope(&other) {
			t.Errorf("%s: has the scope of a CRL that covers all", name)
		}
	}
}

// TestBefore: the number decides only between CRLs of the same time.
func TestBefore(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ascending := []*CRL{
		{ThisUpdate: at, Number: big.NewInt(9)},
		{ThisUpdate: at.Add(time.Second), Number: big.NewInt(1)},
		{ThisUpdate: at.Add(time.Second), Number: big.NewInt(2)},
	}
	for i, a := range ascending {
		for k, b := range ascending {
			if got := a.Before(b); got != (i < k) {
				t.Errorf("CRL %d is before CRL %d: %t", i, k, got)
			}
		}
		if none := (&CRL{ThisUpdate: a.ThisUpdate}); none.Before(a) || a.Before(none) {
			t.Errorf("a CRL without a number is older or newer than CRL %d", i)
		}
	}
}

// TestTemplateValues: a domain keeps each value of its template that the
// configuration does not set. Buypass's CRLs are good for a week, because some of
// them say that they are good until 9999.
func TestTemplateValues(t *testing.T) {
	kept, err := entry{Template: "buypass"}.fill()
	if err != nil || kept.MaxCRLAge != duration(7*24*time.Hour) || kept.Name != "buypass" || kept.Subject != SubjectBuypass {
		t.Errorf("without own values: %+v, %v", kept, err)
	}
	own := entry{Template: "buypass", Name: "mine", Subject: SubjectSerialNumber, MaxCRLAge: 1, Skew: 2,
		OCSP: &ocspEntry{URL: "http://ocsp.example"}, Anchors: []string{"a"}, Intermediates: []string{"b"}, Policies: []string{"1.2"},
		RefusedPolicies: []string{"1.3"}, Purposes: []Purpose{Sign}, CRLs: []string{"c"}, CRLURLs: []string{"http://crl.example"}}
	if got, err := own.fill(); err != nil || !reflect.DeepEqual(got, own) {
		t.Errorf("with own values: %+v, %v", got, err)
	}
	got, err := entry{Template: "buypass", Revocation: "none"}.fill()
	if err != nil || got.OCSP != nil || got.CRLURLs != nil || got.Revocation != "none" {
		t.Errorf("without revocation: %+v, %v", got, err)
	}
}

// A certificate with extended key usages must have one that fits the purpose. Usages that
// Go does not know count too.
func TestExtendedKeyUsage(t *testing.T) {
	d := &domain{Domain: Domain{Purposes: []Purpose{Authenticate}}}
	foreign := []asn1.ObjectIdentifier{{1, 2, 3}}
	for _, c := range []struct {
		known   []x509.ExtKeyUsage
		unknown []asn1.ObjectIdentifier
		fits    bool
	}{
		{nil, nil, true},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil, true},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, foreign, true},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, false},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, foreign, false},
		{nil, foreign, false},
	} {
		cert := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: c.known, UnknownExtKeyUsage: c.unknown}
		if r := d.checkPurpose(cert, Authenticate); (r == nil) != c.fits {
			t.Errorf("usages %v and %v: refused with %v", c.known, c.unknown, r)
		}
	}
}
