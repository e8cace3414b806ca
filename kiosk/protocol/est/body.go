package est

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Paths of the operations.
const (
	PathCACerts        = "/.well-known/est/cacerts"
	PathSimpleEnroll   = "/.well-known/est/simpleenroll"
	PathSimpleReenroll = "/.well-known/est/simplereenroll"
)

// Media types of the bodies.
const (
	MediaRequest      = "application/pkcs10"                            // RFC 7030 §4.2.1
	MediaCertificates = "application/pkcs7-mime; smime-type=certs-only" // RFC 7030 §4.2.3
)

// MaxBody bounds a body in bytes. A request with a P-256 key has some 400.
const MaxBody = 16 << 10

// Encode returns the base64 text (RFC 8951 §3) of a body.
func Encode(der []byte) []byte {
	text := base64.StdEncoding.AppendEncode(nil, der)
	var lines []byte
	for line := range slices.Chunk(text, 64) {
		lines = append(append(lines, line...), '\r', '\n')
	}
	return lines
}

// Decode reads the base64 text of a body. Line ends and spaces may be anywhere.
func Decode(text []byte) ([]byte, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	if err != nil {
		return nil, errors.New("the body is not base64")
	}
	return der, nil
}

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// CertsOnly returns certificates as a CMS SignedData without content and signatures (RFC
// 5272 §4.1, "certs-only").
func CertsOnly(certs ...*x509.Certificate) ([]byte, error) {
	explicit := casn1.Tag(0).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(casn1.SET, func(*cryptobyte.Builder) {}) // digestAlgorithms
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
				b.AddASN1(explicit, func(b *cryptobyte.Builder) { // certificates, IMPLICIT
					for _, c := range certs {
						b.AddBytes(c.Raw)
					}
				})
				b.AddASN1(casn1.SET, func(*cryptobyte.Builder) {}) // signerInfos
			})
		})
	})
	return b.Bytes()
}

var errNotCertsOnly = errors.New("the answer is not a certs-only CMS message")

// maxCertificates bounds the certificates of one answer.
const maxCertificates = 8

// ReadCertsOnly reads what CertsOnly returns.
func ReadCertsOnly(der []byte) ([]*x509.Certificate, error) {
	in := cryptobyte.String(der)
	explicit := casn1.Tag(0).ContextSpecific().Constructed()
	var content, inner, signed, ignored, certs cryptobyte.String
	var kind asn1.ObjectIdentifier
	var version int
	if !in.ReadASN1(&content, casn1.SEQUENCE) || !in.Empty() || !content.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) ||
		!content.ReadASN1(&inner, explicit) || !content.Empty() || !inner.ReadASN1(&signed, casn1.SEQUENCE) || !inner.Empty() ||
		!signed.ReadASN1Integer(&version) || !signed.ReadASN1(&ignored, casn1.SET) || !signed.ReadASN1(&ignored, casn1.SEQUENCE) ||
		!signed.ReadASN1(&certs, explicit) {
		return nil, errNotCertsOnly
	}
	// What follows are CRLs, which are optional, and the empty signerInfos.
	var all []*x509.Certificate
	for !certs.Empty() {
		var one cryptobyte.String
		if len(all) == maxCertificates || !certs.ReadASN1Element(&one, casn1.SEQUENCE) {
			return nil, errNotCertsOnly
		}
		cert, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, fmt.Errorf("the answer has a certificate that cannot be read: %w", err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("the answer has no certificate")
	}
	return all, nil
}
