package testpki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// statement is a QCStatement (RFC 3739 §3.2.6).
type statement struct {
	ID   asn1.ObjectIdentifier
	Info asn1.RawValue `asn1:"optional"`
}

// The statements of the profile (RFC 3739 §3.2.6.1, ETSI EN 319 412-1 §5.1.1
// and 412-5 §4).
var (
	naturalPerson = statement{
		ID:   asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 11, 2},
		Info: encode([]asn1.ObjectIdentifier{{0, 4, 0, 194121, 1, 1}}),
	}
	qcCompliance = statement{ID: asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}}
	qcTypeSign   = statement{
		ID:   asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6},
		Info: encode([]asn1.ObjectIdentifier{{0, 4, 0, 1862, 1, 6, 1}}),
	}
	qcPDS = statement{
		ID: asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 5},
		Info: encode([]struct {
			URL      string `asn1:"ia5"`
			Language string `asn1:"printable"`
		}{{pdsURL, "en"}}),
	}
)

// qcStatements returns the extension that contains the statements.
func qcStatements(statements ...statement) pkix.Extension {
	return pkix.Extension{
		Id:    asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3},
		Value: encode(statements).FullBytes,
	}
}

// encode marshals a value of this package, which cannot fail.
func encode(value any) asn1.RawValue {
	b, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return asn1.RawValue{FullBytes: b}
}
