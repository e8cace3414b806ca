package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// extensionID holds the content octets of an extension's object identifier.
type extensionID string

// The extensions that this package reads (RFC 5280 §5.2, RFC 6960 §4.4.1).
const (
	idCRLNumber         extensionID = "\x55\x1D\x14" // 2.5.29.20
	idDeltaCRL          extensionID = "\x55\x1D\x1B" // 2.5.29.27
	idDistributionPoint extensionID = "\x55\x1D\x1C" // 2.5.29.28
	idOCSPNonce         extensionID = "\x2B\x06\x01\x05\x05\x07\x30\x01\x02"
)

func (id extensionID) String() string {
	var oid x509.OID
	if oid.UnmarshalBinary([]byte(id)) != nil {
		return fmt.Sprintf("%x", string(id))
	}
	return oid.String()
}

// eachExtension reads Extensions (RFC 5280 §4.1), which must be all of s, and
// calls f for each extension. It returns an error if an extension occurs twice.
func eachExtension(s cryptobyte.String, f func(id extensionID, critical bool, value cryptobyte.String) error) error {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return errors.New("its extensions are unreadable")
	}
	var room [8]extensionID
	seen := room[:0]
	for !list.Empty() {
		var extension, oid, value cryptobyte.String
		var critical bool
		if !list.ReadASN1(&extension, cryptobyte_asn1.SEQUENCE) || !extension.ReadASN1(&oid, cryptobyte_asn1.OBJECT_IDENTIFIER) ||
			extension.PeekASN1Tag(cryptobyte_asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, cryptobyte_asn1.OCTET_STRING) || !extension.Empty() {
			return errors.New("its extensions are unreadable")
		}
		id := extensionID(oid)
		if slices.Contains(seen, id) {
			return fmt.Errorf("extension %s occurs twice", id)
		}
		seen = append(seen, id)
		if err := f(id, critical, value); err != nil {
			return fmt.Errorf("extension %s: %w", id, err)
		}
	}
	return nil
}

// errCritical is the error for a critical extension that this package does not
// implement.
var errCritical = errors.New("it is critical and not known")

// readExtensions reads crlExtensions (RFC 5280 §5.2).
func (c *CRL) readExtensions(s cryptobyte.String) error {
	return eachExtension(s, func(id extensionID, critical bool, value cryptobyte.String) (err error) {
		switch id {
		case idCRLNumber:
			c.Number, err = bigOf(value)
			return err
		case idDeltaCRL:
			return errors.New("a delta CRL is not used")
		case idDistributionPoint:
			return c.readDistributionPoint(value)
		}
		if critical {
			return errCritical
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
