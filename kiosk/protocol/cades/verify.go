package cades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

// Errors that Verify returns.
var (
	ErrMalformed   = errors.New("it is malformed")
	ErrAltered     = errors.New("the document was changed after it was signed")
	ErrSignature   = errors.New("the signature is not that of the certificate's key")
	ErrCertificate = errors.New("the signature was made for another certificate")
	ErrKeyUsage    = errors.New("the certificate is not for signing documents")
	ErrExpired     = errors.New("the certificate was not valid at that time")
	ErrNotTrusted  = errors.New("the certificate comes from an unknown issuer")
)

// MaxSize is the maximum size of a signature without content that Verify accepts, in
// bytes.
const MaxSize = 64 << 10

// Signature is what a valid signature says.
type Signature struct {
	Certificate *x509.Certificate
	Time        time.Time           // signing-time, as the signer claims; zero if the attribute is missing
	Others      []*x509.Certificate // those in the signature, the signer's included
}

// Verify checks a detached signature of a document whose digest digestOf returns for the
// signature's hash. The certificate must have been valid at the time at, for signing
// documents (nonRepudiation), by a path to one of the roots.
func Verify(der []byte, digestOf func(crypto.Hash) []byte, roots *x509.CertPool, at time.Time) (Signature, error) {
	s, err := check(der, digestOf)
	if err == nil {
		err = s.trusted(roots, at)
	}
	if err != nil {
		return Signature{}, fmt.Errorf("cannot accept signature: %w", err)
	}
	return s, nil
}

// Check is Verify without the checks of the certificate, which the caller makes: its key
// usage, validity, path and revocation.
func Check(der []byte, digestOf func(crypto.Hash) []byte) (Signature, error) {
	s, err := check(der, digestOf)
	if err != nil {
		return Signature{}, fmt.Errorf("cannot accept signature: %w", err)
	}
	return s, nil
}

func check(der []byte, digestOf func(crypto.Hash) []byte) (out Signature, err error) {
	info, certificates, err := parse(der)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	out.Others = certificates
	for _, c := range certificates {
		if bytes.Equal(c.RawIssuer, info.Signer.Issuer.FullBytes) && c.SerialNumber.Cmp(info.Signer.Serial) == 0 {
			out.Certificate = c
		}
	}
	if out.Certificate == nil {
		return out, fmt.Errorf("%w: the signer's certificate is missing", ErrMalformed)
	}
	scheme, err := schemeOf(out.Certificate.PublicKey)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !info.DigestAlgorithm.Algorithm.Equal(scheme.digest.Algorithm) || !info.SignatureAlgorithm.Algorithm.Equal(scheme.signature.Algorithm) {
		return out, fmt.Errorf("%w: the algorithms are not those of the key", ErrMalformed)
	}
	if out.Time, err = checkAttributes(info, out.Certificate, scheme, digestOf(scheme.hash)); err != nil {
		return out, err
	}
	text, err := asn1.MarshalWithParams(info.Attributes, "set")
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if out.Certificate.CheckSignature(scheme.x509, text, info.Signature) != nil {
		return out, ErrSignature
	}
	return out, nil
}

// trusted checks the certificate.
func (s Signature) trusted(roots *x509.CertPool, at time.Time) error {
	c := s.Certificate
	if c.KeyUsage&x509.KeyUsageContentCommitment == 0 {
		return ErrKeyUsage
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return ErrExpired
	}
	pool := x509.NewCertPool()
	for _, other := range s.Others {
		pool.AddCert(other)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTrusted, err)
	}
	return nil
}

// parse decodes a signature of one signer, and its certificates.
func parse(der []byte) (info signerInfo, certificates []*x509.Certificate, err error) {
	if len(der) > MaxSize {
		return info, nil, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	var outer contentInfo
	if err := unmarshal(der, &outer); err != nil {
		return info, nil, err
	}
	if !outer.Type.Equal(oidSignedData) || outer.Content.Class != asn1.ClassContextSpecific || outer.Content.Tag != 0 {
		return info, nil, errors.New("it is not a CMS SignedData")
	}
	var data signedData
	if err := unmarshal(outer.Content.Bytes, &data); err != nil {
		return info, nil, err
	}
	if !data.Content.Type.Equal(oidData) || len(data.Content.Content.FullBytes) > 0 {
		return info, nil, errors.New("it is not a detached signature of data")
	}
	if len(data.Signers) != 1 {
		return info, nil, fmt.Errorf("%d signers, not one", len(data.Signers))
	}
	for _, raw := range data.Certificates {
		c, err := x509.ParseCertificate(raw.FullBytes)
		if err != nil {
			return info, nil, err
		}
		certificates = append(certificates, c)
	}
	return data.Signers[0], certificates, nil
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("more bytes follow")
	}
	return err
}

// checkAttributes checks the signed attributes, and returns the signing-time.
func checkAttributes(info signerInfo, cert *x509.Certificate, s scheme, digest []byte) (at time.Time, err error) {
	values := map[string][]byte{}
	for _, a := range info.Attributes {
		if _, twice := values[a.Type.String()]; twice || len(a.Values) != 1 {
			return at, fmt.Errorf("%w: attribute %s has not one value", ErrMalformed, a.Type)
		}
		values[a.Type.String()] = a.Values[0].FullBytes
	}
	var kind asn1.ObjectIdentifier
	if unmarshal(values[oidContentType.String()], &kind) != nil || !kind.Equal(oidData) {
		return at, fmt.Errorf("%w: content-type is missing or not data", ErrMalformed)
	}
	var signed []byte
	if unmarshal(values[oidMessageDigest.String()], &signed) != nil {
		return at, fmt.Errorf("%w: message-digest is missing", ErrMalformed)
	}
	want, err := asn1.Marshal(certificateOf(cert, s))
	if err != nil {
		return at, err
	}
	switch got := values[oidSigningCertificate.String()]; {
	case got == nil:
		return at, fmt.Errorf("%w: signing-certificate-v2 is missing", ErrMalformed)
	case !bytes.Equal(got, want):
		return at, ErrCertificate
	case !bytes.Equal(signed, digest):
		return at, ErrAltered
	}
	if der := values[oidSigningTime.String()]; der != nil {
		if err := unmarshal(der, &at); err != nil {
			return at, fmt.Errorf("%w: signing-time: %w", ErrMalformed, err)
		}
	}
	return at, nil
}
