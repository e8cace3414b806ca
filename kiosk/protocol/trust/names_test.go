package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// dn returns a directory name of organisation and common name, DER.
func dn(t *testing.T, organisation, name string) []byte {
	t.Helper()
	s := pkix.Name{CommonName: name}
	if organisation != "" {
		s.Organization = []string{organisation}
	}
	return mustDER(t, s.ToRDNSequence())
}

func mustDER(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// tagged returns a context-specific, constructed element.
func tagged(t *testing.T, tag int, content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: content}
}

// constraints returns an extension with name constraints: tag 0 permits, tag 1
// excludes the name base of the given kind (4 is a directory name).
func constraints(t *testing.T, tag, kind int, base []byte) pkix.Extension {
	subtree := mustDER(t, []asn1.RawValue{tagged(t, kind, base)})
	return pkix.Extension{Id: oidNameConstraints, Critical: true, Value: mustDER(t, []asn1.RawValue{tagged(t, tag, subtree)})}
}

// alternative returns a subjectAltName with the given content.
func alternative(content []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: content}
}

// TestCheckDirectoryNames has a holder, a CA below a constrained CA, and that CA.
func TestCheckDirectoryNames(t *testing.T) {
	company, other := dn(t, "Company", ""), dn(t, "Other", "")
	organisation := func(name string) []byte { return mustDER(t, pkix.Name{Organization: []string{name}}.ToRDNSequence()) }
	permitted := constraints(t, 0, 4, organisation("Company"))
	garbage := []byte{0x30, 5, 1}
	for _, tt := range []struct {
		name             string
		holder, ca, root x509.Certificate
		want             string // a part of the error
	}{
		{"no constraints", x509.Certificate{RawSubject: other}, x509.Certificate{RawSubject: other}, x509.Certificate{}, ""},
		{"no constraints, an unreadable name", x509.Certificate{RawSubject: garbage}, x509.Certificate{RawSubject: other}, x509.Certificate{}, ""},
		{"permitted", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, ""},
		{"a holder who is not permitted", x509.Certificate{RawSubject: other}, x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, `CA "" may not issue`},
		{"a CA that is not permitted", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: other, RawIssuer: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, `CA "" may not issue`},
		{"a self-issued CA", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: other, RawIssuer: other}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, ""},
		{"a self-issued holder", x509.Certificate{RawSubject: other, RawIssuer: other}, x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, `may not issue`},
		{"excluded", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: other}, x509.Certificate{Extensions: []pkix.Extension{constraints(t, 1, 4, organisation("Company"))}}, `may not issue`},
		{"not excluded", x509.Certificate{RawSubject: other}, x509.Certificate{RawSubject: other}, x509.Certificate{Extensions: []pkix.Extension{constraints(t, 1, 4, organisation("Company"))}}, ""},
		{"by the CA itself", x509.Certificate{RawSubject: other}, x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{permitted}}, x509.Certificate{}, `may not issue`},
		{"the CA is not below itself", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: other, Extensions: []pkix.Extension{permitted}}, x509.Certificate{}, ""},
		{"an alternative name", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative(mustDER(t, []asn1.RawValue{tagged(t, 4, other)}))}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, `may not issue`},
		{"an alternative name that is permitted", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative(mustDER(t, []asn1.RawValue{tagged(t, 4, company)}))}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, ""},
		{"an alternative name of another kind", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative(mustDER(t, []asn1.RawValue{tagged(t, 0, other)}))}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, ""},
		{"no subject", x509.Certificate{RawSubject: []byte{0x30, 0}}, x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, ""},
		{"an unreadable subject", x509.Certificate{RawSubject: garbage}, x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}},
			"the certificate has a directory name that is unreadable"},
		{"an unreadable alternative name", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative(mustDER(t, []asn1.RawValue{tagged(t, 4, garbage)}))}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, "the certificate has a directory name that is unreadable"},
		{"alternative names that are no list", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative(garbage)}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, "alternative names that are unreadable"},
		{"alternative names that are cut short", x509.Certificate{RawSubject: company, Extensions: []pkix.Extension{alternative([]byte{0x30, 2, 0xA4, 9})}},
			x509.Certificate{RawSubject: company}, x509.Certificate{Extensions: []pkix.Extension{permitted}}, "alternative names that are unreadable"},
		{"unreadable constraints", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: company},
			x509.Certificate{Extensions: []pkix.Extension{{Id: oidNameConstraints, Value: garbage}}}, `CA "" has name constraints that are unreadable`},
		{"an unreadable subtree", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: company},
			x509.Certificate{Extensions: []pkix.Extension{{Id: oidNameConstraints, Value: mustDER(t, []asn1.RawValue{tagged(t, 0, []byte{0x30, 9})})}}}, `CA "" has name constraints that are unreadable`},
		{"an unreadable base", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: company},
			x509.Certificate{Extensions: []pkix.Extension{constraints(t, 0, 4, garbage)}}, `CA "" has a directory name that is unreadable`},
		{"an unreadable excluded base", x509.Certificate{RawSubject: company}, x509.Certificate{RawSubject: company},
			x509.Certificate{Extensions: []pkix.Extension{constraints(t, 1, 4, garbage)}}, `CA "" has a directory name that is unreadable`},
	} {
		err := checkDirectoryNames([]*x509.Certificate{&tt.holder, &tt.ca, &tt.root})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestIsUnder compares names as RFC 5280 §7.1 requires.
func TestIsUnder(t *testing.T) {
	rdn := func(attributes ...pkix.AttributeTypeAndValue) pkix.RelativeDistinguishedNameSET { return attributes }
	attribute := func(kind int, value any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, kind}, Value: value}
	}
	o, ou, cn := attribute(10, "Company"), attribute(11, "Unit"), attribute(3, "Kari")
	name := pkix.RDNSequence{rdn(o), rdn(ou, cn)}
	for _, tt := range []struct {
		what string
		base pkix.RDNSequence
		want bool
	}{
		{"nothing", nil, true},
		{"its beginning", pkix.RDNSequence{rdn(o)}, true},
		{"all of it", name, true},
		{"in another order", pkix.RDNSequence{rdn(o), rdn(cn, ou)}, true},
		{"in other letters and spaces", pkix.RDNSequence{rdn(attribute(10, " COMPANY  "))}, true},
		{"another value", pkix.RDNSequence{rdn(attribute(10, "Com pany"))}, false},
		{"another attribute", pkix.RDNSequence{rdn(attribute(11, "Company"))}, false},
		{"a value that is no text", pkix.RDNSequence{rdn(attribute(10, 7))}, false},
		{"fewer attributes", pkix.RDNSequence{rdn(o), rdn(cn)}, false},
		{"more attributes", pkix.RDNSequence{rdn(o, cn)}, false},
		{"a longer name", append(name[:2:2], rdn(cn)), false},
	} {
		if got := isUnder(name, tt.base); got != tt.want {
			t.Errorf("%s: %t", tt.what, got)
		}
	}
	if seven := (pkix.RDNSequence{rdn(attribute(10, 7))}); isUnder(seven, seven) {
		t.Error("values that are no text are compared")
	}
}

// TestWithNameConstraints: crypto/x509 accepts a CA only if this package applies all
// of its constraints.
func TestWithNameConstraints(t *testing.T) {
	base := mustDER(t, pkix.Name{Organization: []string{"Company"}}.ToRDNSequence())
	for name, tt := range map[string]struct {
		extensions []pkix.Extension
		handled    bool
	}{
		"none":              {nil, false},
		"a directory name":  {[]pkix.Extension{constraints(t, 0, 4, base)}, true},
		"a mail address":    {[]pkix.Extension{constraints(t, 0, 1, []byte("example.com"))}, true},
		"a host":            {[]pkix.Extension{constraints(t, 0, 2, []byte("example.com"))}, true},
		"a URI":             {[]pkix.Extension{constraints(t, 0, 6, []byte("example.com"))}, true},
		"an address":        {[]pkix.Extension{constraints(t, 0, 7, make([]byte, 8))}, true},
		"another name":      {[]pkix.Extension{constraints(t, 0, 0, base)}, false},
		"a registered OID":  {[]pkix.Extension{constraints(t, 1, 8, []byte{0x2A})}, false},
		"something damaged": {[]pkix.Extension{constraints(t, 0, 4, []byte{1})}, false},
	} {
		ca := &x509.Certificate{Extensions: tt.extensions, UnhandledCriticalExtensions: []asn1.ObjectIdentifier{{1, 2, 3}, oidNameConstraints}}
		got := withNameConstraints(ca)
		if handled := len(got.UnhandledCriticalExtensions) == 1; handled != tt.handled || len(ca.UnhandledCriticalExtensions) != 2 {
			t.Errorf("%s: unhandled are %v", name, got.UnhandledCriticalExtensions)
		}
	}
}
