package testpki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"
)

// Policies of Buypass for the kinds of certificate, and the policies of ETSI
// that occur together with them (ETSI EN 319 411).
var (
	PolicySmartCard = oid(2, 16, 578, 1, 26, 1, 3, 1) // a person, on a card
	PolicyHSM       = oid(2, 16, 578, 1, 26, 1, 3, 6) // a person, in an HSM
	policyNCPPlus   = oid(0, 4, 0, 2042, 1, 2)
	policyQCPn      = oid(0, 4, 0, 194112, 1, 0)
	policyAny       = oid(2, 5, 29, 32, 0)
)

// Addresses in certificates. These hosts do not exist (RFC 2606 §2), so that no
// test contacts the real ones.
const (
	OCSPURL = "http://ocspps.test4.buypassca.test"
	CRLURL  = "http://crl.test4.buypassca.test/BPCl3CaG2HTPS.crl"
	pdsURL  = "https://www.buypass.test/pds"
)

// Person is the subject of a person's certificate.
type Person struct {
	Given, Surname string
	ID             string // the serialNumber attribute, e.g. UN:NO-9578-4050-900000001
}

// Name returns the common name.
func (p Person) Name() string { return p.Given + " " + p.Surname }

func (p Person) subject() pkix.Name {
	return name(
		attribute(oidCountry, "NO"),
		attribute(oidSurname, p.Surname),
		attribute(oidGivenName, p.Given),
		attribute(oidCommonName, p.Name()),
		attribute(oidSerialNumber, p.ID),
	)
}

// Authentication returns the template of an authentication (and encryption)
// certificate of the current profile. A test can change it before Issue.
func Authentication(p Person, from, until time.Time) *x509.Certificate {
	t := template(p, from, until)
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	t.Policies = []x509.OID{PolicySmartCard, policyNCPPlus}
	t.ExtraExtensions = []pkix.Extension{qcStatements(naturalPerson)}
	return t
}

// Signature returns the template of a qualified signature certificate. It has
// no digitalSignature bit, so it must not be accepted for authentication.
func Signature(p Person, from, until time.Time) *x509.Certificate {
	t := template(p, from, until)
	t.KeyUsage = x509.KeyUsageContentCommitment
	t.Policies = []x509.OID{PolicySmartCard, policyQCPn}
	t.ExtraExtensions = []pkix.Extension{qcStatements(naturalPerson, qcCompliance, qcTypeSign, qcPDS)}
	return t
}

// template is the common part of both. Neither has an extended key usage.
func template(p Person, from, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SignatureAlgorithm:    x509.SHA256WithRSA,
		Subject:               p.subject(),
		NotBefore:             from,
		NotAfter:              until,
		BasicConstraintsValid: true,
		OCSPServer:            []string{OCSPURL},
		CRLDistributionPoints: []string{CRLURL},
	}
}

// authority is the template of a CA certificate.
func authority(subject pkix.Name, from, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SignatureAlgorithm:    x509.SHA512WithRSA,
		Subject:               subject,
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		Policies:              []x509.OID{policyAny},
	}
}

// responder is the template of a delegated OCSP responder's certificate (RFC
// 6960 §4.2.2.2), whose own status is not to be checked (§4.2.2.2.1).
func responder(subject pkix.Name, from, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SignatureAlgorithm:    x509.SHA256WithRSA,
		Subject:               subject,
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: asn1.NullBytes}},
	}
}

// Attribute types of a name (X.520, ETSI EN 319 412-1 §5.1.4).
var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname      = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganization = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidGivenName    = asn1.ObjectIdentifier{2, 5, 4, 42}
	oidOrgID        = asn1.ObjectIdentifier{2, 5, 4, 97}
)

func attribute(t asn1.ObjectIdentifier, value string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: t, Value: value}
}

// name preserves the order of the attributes; the fields of pkix.Name would
// not.
func name(attributes ...pkix.AttributeTypeAndValue) pkix.Name {
	return pkix.Name{ExtraNames: attributes}
}

// issuer is the name of an authority of the test hierarchy: the real common name
// with an invented organisation.
func issuer(commonName string) pkix.Name {
	return name(
		attribute(oidCountry, "NO"),
		attribute(oidOrgID, "NTRNO-000000000"),
		attribute(oidOrganization, "Smartkiosk Test, not Buypass"),
		attribute(oidCommonName, commonName),
	)
}

func oid(parts ...uint64) x509.OID {
	o, err := x509.OIDFromInts(parts)
	if err != nil {
		panic(err)
	}
	return o
}
