// Package cades makes and checks signatures of documents at the level CAdES-B-B (ETSI EN
// 319 122-1): a CMS SignedData (RFC 5652) with one signer, whose signed attributes are
// content-type, message-digest, signing-certificate-v2 (RFC 5035) with issuerSerial, and
// optionally signing-time.
//
// The key is any crypto.Signer, for example that of a card. The hash follows from the
// key: SHA-256 for RSA (PKCS #1 v1.5) and P-256, SHA-384 for P-384.
package cades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Object identifiers: RFC 5652 §4, §5.1 and §11; RFC 5035 §5.4; RFC 5754.
var (
	oidData               = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256             = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384             = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidRSAWithSHA256      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidECDSAWithSHA256    = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSAWithSHA384    = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
)

// scheme is how a kind of key signs.
type scheme struct {
	hash      crypto.Hash
	digest    pkix.AlgorithmIdentifier
	signature pkix.AlgorithmIdentifier
	x509      x509.SignatureAlgorithm
}

var (
	rsaScheme = scheme{crypto.SHA256, pkix.AlgorithmIdentifier{Algorithm: oidSHA256},
		pkix.AlgorithmIdentifier{Algorithm: oidRSAWithSHA256, Parameters: asn1.NullRawValue}, x509.SHA256WithRSA}
	p256Scheme = scheme{crypto.SHA256, pkix.AlgorithmIdentifier{Algorithm: oidSHA256},
		pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA256}, x509.ECDSAWithSHA256}
	p384Scheme = scheme{crypto.SHA384, pkix.AlgorithmIdentifier{Algorithm: oidSHA384},
		pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA384}, x509.ECDSAWithSHA384}
)

// minRSA is the minimum size of an RSA key in bits.
const minRSA = 2048

func schemeOf(key crypto.PublicKey) (scheme, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSA {
			return rsaScheme, nil
		}
		return scheme{}, fmt.Errorf("an RSA key of %d bits is too short", key.N.BitLen())
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return p256Scheme, nil
		case elliptic.P384():
			return p384Scheme, nil
		}
	}
	return scheme{}, errors.New("the key is neither RSA nor ECDSA on P-256 or P-384")
}

// Hash returns the hash of the document that a signature with this certificate covers.
func Hash(cert *x509.Certificate) (crypto.Hash, error) {
	s, err := schemeOf(cert.PublicKey)
	if err != nil {
		return 0, fmt.Errorf("cannot sign: %w", err)
	}
	return s.hash, nil
}

// Options are optional parts of a signature.
type Options struct {
	Chain   []*x509.Certificate // CA certificates that are put into the signature
	Time    time.Time           // signing-time; zero for none, as PAdES requires (EN 319 142-1 §6.3)
	Content []byte              // is put into the signature; nil for a detached one
}

// Sign returns the signature of a document with this digest (see Hash), DER. The
// certificate must be that of the signer's key.
func Sign(signer crypto.Signer, cert *x509.Certificate, digest []byte, o Options) ([]byte, error) {
	der, err := sign(signer, cert, digest, o)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return der, nil
}

func sign(signer crypto.Signer, cert *x509.Certificate, digest []byte, o Options) ([]byte, error) {
	s, err := schemeOf(cert.PublicKey)
	if err != nil {
		return nil, err
	}
	if k, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(signer.Public()) {
		return nil, errors.New("the certificate is for another key")
	}
	if len(digest) != s.hash.Size() {
		return nil, fmt.Errorf("a digest of %d bytes is not one of %v", len(digest), s.hash)
	}
	attributes, err := signedAttributes(cert, s, digest, o.Time)
	if err != nil {
		return nil, err
	}
	text, err := asn1.MarshalWithParams(attributes, "set")
	if err != nil {
		return nil, err
	}
	h := s.hash.New()
	h.Write(text)
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), s.hash)
	if err != nil {
		return nil, err
	}
	info := signerInfo{
		Version: 1, Signer: issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber},
		DigestAlgorithm: s.digest, Attributes: attributes, SignatureAlgorithm: s.signature, Signature: signature,
	}
	data := signedData{Version: 1, DigestAlgorithms: []pkix.AlgorithmIdentifier{s.digest}, Content: content{Type: oidData}, Signers: []signerInfo{info}}
	if o.Content != nil {
		octets, err := asn1.Marshal(o.Content)
		if err != nil {
			return nil, err
		}
		data.Content.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: octets}
	}
	for _, c := range append([]*x509.Certificate{cert}, o.Chain...) {
		data.Certificates = append(data.Certificates, asn1.RawValue{FullBytes: c.Raw})
	}
	inner, err := asn1.Marshal(data)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner}})
}

// signedAttributes are in the order of DER when they are marshalled as a set.
func signedAttributes(cert *x509.Certificate, s scheme, digest []byte, at time.Time) (all []attribute, err error) {
	add := func(oid asn1.ObjectIdentifier, value any) {
		der, failed := asn1.Marshal(value)
		all = append(all, attribute{oid, []asn1.RawValue{{FullBytes: der}}})
		err = errors.Join(err, failed)
	}
	add(oidContentType, oidData)
	add(oidMessageDigest, digest)
	add(oidSigningCertificate, certificateOf(cert, s))
	if !at.IsZero() {
		add(oidSigningTime, at.UTC())
	}
	return all, err
}

// certificateOf returns the value of signing-certificate-v2. The hash algorithm is left
// out if it is the default, SHA-256.
func certificateOf(cert *x509.Certificate, s scheme) signingCertificate {
	h := s.hash.New()
	h.Write(cert.Raw)
	id := certID{Hash: h.Sum(nil), Issuer: issuerSerial{
		Names:  []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: cert.RawIssuer}},
		Serial: cert.SerialNumber,
	}}
	if s.hash != crypto.SHA256 {
		id.Algorithm = s.digest
	}
	return signingCertificate{[]certID{id}}
}

// The types of RFC 5652 §3 and §5, with the choices that this package makes.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue // [0] EXPLICIT
}

type signedData struct {
	Version          int
	DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
	Content          content
	Certificates     []asn1.RawValue `asn1:"optional,set,tag:0"`
	CRLs             asn1.RawValue   `asn1:"optional,tag:1"`
	Signers          []signerInfo    `asn1:"set"`
}

type content struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"optional"` // [0] EXPLICIT OCTET STRING
}

type signerInfo struct {
	Version            int
	Signer             issuerAndSerial
	DigestAlgorithm    pkix.AlgorithmIdentifier
	Attributes         []attribute `asn1:"set,tag:0"`
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Signature          []byte
	Unsigned           asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// The types of RFC 5035 §5.4.
type signingCertificate struct {
	Certs []certID
}

type certID struct {
	Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
	Hash      []byte
	Issuer    issuerSerial `asn1:"optional"`
}

type issuerSerial struct {
	Names  []asn1.RawValue
	Serial *big.Int
}
