package trust

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Name constraints (RFC 5280 §4.2.1.10) on directory names are what a company
// CA would be held to its own organisation by. crypto/x509 knows those on
// e-mail addresses, hosts and URIs, and refuses all others where they are
// critical. This file adds directory names.

var (
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	tagDirectoryName   = cryptobyte_asn1.Tag(4).ContextSpecific().Constructed()
)

// subtrees are the directory names under a CA's name constraints.
type subtrees struct {
	permitted, excluded []pkix.RDNSequence
	others              bool // there are forms of names that nobody here knows
}

// nameConstraints reads those of a CA; ok is false if it has none.
func nameConstraints(ca *x509.Certificate) (s subtrees, ok bool, err error) {
	i := slices.IndexFunc(ca.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) })
	if i < 0 {
		return subtrees{}, false, nil
	}
	in := cryptobyte.String(ca.Extensions[i].Value)
	var list, permitted, excluded cryptobyte.String
	tag := func(n uint8) cryptobyte_asn1.Tag { return cryptobyte_asn1.Tag(n).ContextSpecific().Constructed() }
	if !in.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !list.ReadOptionalASN1(&permitted, nil, tag(0)) ||
		!list.ReadOptionalASN1(&excluded, nil, tag(1)) {
		return subtrees{}, true, errors.New("name constraints that are unreadable")
	}
	if s.permitted, err = s.read(permitted); err == nil {
		s.excluded, err = s.read(excluded)
	}
	return s, true, err
}

// read gives the directory names of GeneralSubtrees.
func (s *subtrees) read(in cryptobyte.String) (names []pkix.RDNSequence, err error) {
	for !in.Empty() {
		var subtree, base cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !in.ReadASN1(&subtree, cryptobyte_asn1.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) {
			return nil, errors.New("name constraints that are unreadable")
		}
		switch {
		case tag == tagDirectoryName:
			name, err := readName(base)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		case !slices.Contains([]uint8{1, 2, 6, 7}, uint8(tag)&0x1F): // those of crypto/x509
			s.others = true
		}
	}
	return names, nil
}

func readName(der []byte) (name pkix.RDNSequence, err error) {
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return nil, errors.New("a directory name that is unreadable")
	}
	return name, nil
}

// withNameConstraints gives a copy of a CA's certificate from which
// crypto/x509 builds paths although its name constraints are on directory
// names, as checkDirectoryNames judges those.
func withNameConstraints(ca *x509.Certificate) *x509.Certificate {
	s, ok, err := nameConstraints(ca)
	if !ok || err != nil || s.others {
		return ca
	}
	c := *ca
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(ca.UnhandledCriticalExtensions), oidNameConstraints.Equal)
	return &c
}

// checkDirectoryNames judges the subject of every certificate of a path by
// the name constraints of the CAs above it, but for certificates that a CA
// has issued to itself.
func checkDirectoryNames(chain []*x509.Certificate) error {
	for i, ca := range chain[1:] {
		s, ok, err := nameConstraints(ca)
		if err != nil {
			return fmt.Errorf("CA %q has %w", ca.Subject.CommonName, err)
		}
		if !ok {
			continue
		}
		for below, cert := range chain[:i+1] {
			if below > 0 && bytes.Equal(cert.RawSubject, cert.RawIssuer) {
				continue
			}
			names, err := directoryNames(cert)
			if err != nil {
				return err
			}
			for _, name := range names {
				if len(name) > 0 && !s.allow(name) {
					return fmt.Errorf("CA %q may not issue certificates for a name like the subject's", ca.Subject.CommonName)
				}
			}
		}
	}
	return nil
}

// directoryNames gives the subject of cert and the directory names among its
// alternative names.
func directoryNames(cert *x509.Certificate) ([]pkix.RDNSequence, error) {
	subject, err := readName(cert.RawSubject)
	if err != nil {
		return nil, fmt.Errorf("the certificate has %w", err)
	}
	names := []pkix.RDNSequence{subject}
	for _, e := range cert.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) { // subjectAltName
			continue
		}
		in := cryptobyte.String(e.Value)
		var list cryptobyte.String
		if !in.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) {
			return nil, errors.New("the certificate has alternative names that are unreadable")
		}
		for !list.Empty() {
			var value cryptobyte.String
			var tag cryptobyte_asn1.Tag
			if !list.ReadAnyASN1(&value, &tag) {
				return nil, errors.New("the certificate has alternative names that are unreadable")
			}
			if tag != tagDirectoryName {
				continue
			}
			name, err := readName(value)
			if err != nil {
				return nil, fmt.Errorf("the certificate has %w", err)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func (s subtrees) allow(name pkix.RDNSequence) bool {
	under := func(base pkix.RDNSequence) bool { return isUnder(name, base) }
	return !slices.ContainsFunc(s.excluded, under) && (len(s.permitted) == 0 || slices.ContainsFunc(s.permitted, under))
}

// isUnder tells whether name begins with all of base.
func isUnder(name, base pkix.RDNSequence) bool {
	return len(name) >= len(base) && slices.EqualFunc(name[:len(base)], base, func(a, b pkix.RelativeDistinguishedNameSET) bool {
		return len(a) == len(b) && !slices.ContainsFunc(b, func(want pkix.AttributeTypeAndValue) bool {
			return !slices.ContainsFunc(a, func(have pkix.AttributeTypeAndValue) bool {
				return have.Type.Equal(want.Type) && sameValue(have.Value, want.Value)
			})
		})
	})
}

// sameValue compares as RFC 5280 §7.1 has it: case and the number of spaces
// do not count.
func sameValue(a, b any) bool {
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	if !ok1 || !ok2 {
		return false
	}
	return strings.EqualFold(strings.Join(strings.Fields(x), " "), strings.Join(strings.Fields(y), " "))
}
