package trust

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// eachExtension reads Extensions (RFC 5280 §4.1) that are all of s, and
// calls f with each. No extension may stand twice.
func eachExtension(s cryptobyte.String, f func(oid string, critical bool, value cryptobyte.String) error) error {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return errors.New("its extensions are unreadable")
	}
	seen := map[string]bool{}
	for !list.Empty() {
		var extension, value cryptobyte.String
		var id asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&extension, cryptobyte_asn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&id) ||
			extension.PeekASN1Tag(cryptobyte_asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, cryptobyte_asn1.OCTET_STRING) || !extension.Empty() {
			return errors.New("its extensions are unreadable")
		}
		oid := id.String()
		if seen[oid] {
			return fmt.Errorf("extension %s stands twice", oid)
		}
		seen[oid] = true
		if err := f(oid, critical, value); err != nil {
			return fmt.Errorf("extension %s: %w", oid, err)
		}
	}
	return nil
}

// readExtensions reads crlExtensions (RFC 5280 §5.2).
func (c *CRL) readExtensions(s cryptobyte.String) error {
	return eachExtension(s, func(oid string, critical bool, value cryptobyte.String) (err error) {
		switch oid {
		case "2.5.29.20": // cRLNumber
			c.Number, err = bigOf(value)
			return err
		case "2.5.29.27":
			return errors.New("a delta CRL is not used")
		case "2.5.29.28":
			return c.readDistributionPoint(value)
		case "2.5.29.35": // authorityKeyIdentifier: the signature tells
			return nil
		}
		if critical {
			return errors.New("it is critical and not known")
		}
		return nil
	})
}

// readDistributionPoint reads issuingDistributionPoint (RFC 5280 §5.2.5).
func (c *CRL) readDistributionPoint(s cryptobyte.String) error {
	context := func(n uint8) cryptobyte_asn1.Tag { return cryptobyte_asn1.Tag(n).ContextSpecific() }
	unreadable := errors.New("it is unreadable")
	var list, point cryptobyte.String
	var named bool
	if !s.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!list.ReadOptionalASN1(&point, &named, context(0).Constructed()) {
		return unreadable
	}
	if named {
		var names cryptobyte.String
		if !point.ReadASN1(&names, context(0).Constructed()) || !point.Empty() {
			return errors.New("its distribution point has no full name")
		}
		c.points = []string{}
		for !names.Empty() {
			var name cryptobyte.String
			var tag cryptobyte_asn1.Tag
			if !names.ReadAnyASN1(&name, &tag) {
				return unreadable
			}
			if tag == context(6) { // uniformResourceIdentifier
				c.points = append(c.points, string(name))
			}
		}
	}
	for !list.Empty() {
		var value cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !list.ReadAnyASN1(&value, &tag) {
			return unreadable
		}
		isTrue := len(value) == 1 && value[0] == 0xFF
		switch {
		case tag == context(1) && isTrue:
			c.onlyUsers = true
		case tag == context(2) && isTrue:
			c.onlyCAs = true
		case tag == context(3):
			return errors.New("a CRL about some reasons only is not used")
		case tag == context(4) && isTrue:
			return errors.New("an indirect CRL is not used")
		case tag == context(5) && isTrue:
			return errors.New("a CRL about attribute certificates is not used")
		default:
			return unreadable
		}
	}
	return nil
}
