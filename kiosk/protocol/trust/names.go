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

// Name constraints (RFC 5280 §4.2.1.10) on directory names restrict a company CA
// to its own organisation. crypto/x509 implements name constraints on e-mail
// addresses, hosts, IP addresses and URIs, and refuses a certificate with
// critical constraints on any other form of name. This file adds directory
// names.

var (
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	tagDirectoryName   = cryptobyte_asn1.Tag(4).ContextSpecific().Constructed()
)

// subtrees are the directory names in a CA's name constraints.
type subtrees struct {
	permitted, excluded []pkix.RDNSequence
	others              bool // there are constraints on forms of names that are not implemented
}

// nameConstraints reads the name constraints of a CA. ok is false if it has
// none.
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

// read returns the directory names of GeneralSubtrees. It sets s.others for a
// form of name that neither this package nor crypto/x509 implements.
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
		case !slices.Contains([]uint8{1, 2, 6, 7}, uint8(tag)&0x1F): // crypto/x509 implements these
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

// withNameConstraints returns a copy of a CA's certificate in which critical
// name constraints are not marked as unhandled, so that crypto/x509 accepts it
// in a path. checkDirectoryNames applies the constraints afterwards. A
// certificate whose constraints this package does not implement is returned
// unchanged.
func withNameConstraints(ca *x509.Certificate) *x509.Certificate {
	s, ok, err := nameConstraints(ca)
	if !ok || err != nil || s.others {
		return ca
	}
	c := *ca
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(ca.UnhandledCriticalExtensions), oidNameConstraints.Equal)
	return &c
}

// checkDirectoryNames checks each certificate of a path against the name
// constraints of the CAs above it. As in RFC 5280 §6.1.3 it skips CA
// certificates that are self-issued.
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

// directoryNames returns the subject of cert and the directory names in its
// subjectAltName.
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

// isUnder reports whether base is a prefix of name.
func isUnder(name, base pkix.RDNSequence) bool {
	return len(name) >= len(base) && slices.EqualFunc(name[:len(base)], base, func(a, b pkix.RelativeDistinguishedNameSET) bool {
		return len(a) == len(b) && !slices.ContainsFunc(b, func(want pkix.AttributeTypeAndValue) bool {
			return !slices.ContainsFunc(a, func(have pkix.AttributeTypeAndValue) bool {
				return have.Type.Equal(want.Type) && sameValue(have.Value, want.Value)
			})
		})
	})
}

// sameValue compares two attribute values as in RFC 5280 §7.1: it ignores case
// and the number of spaces.
func sameValue(a, b any) bool {
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	if !ok1 || !ok2 {
		return false
	}
	return strings.EqualFold(strings.Join(strings.Fields(x), " "), strings.Join(strings.Fields(y), " "))
}
