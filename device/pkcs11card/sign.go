//go:build pkcs11

package pkcs11card

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"

	"smartkiosk/device/smartkort"
)

// Signer returns the private key of a certificate whose PIN is verified: RSA with
// PKCS #1 v1.5 and PSS, or ECDSA. It fails with smartkort.ErrUnsupportedKey when
// the key is missing or of another kind, and with smartkort.ErrConsent.
func (c *Card) Signer(ctx context.Context, cert Certificate) (crypto.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w", cert.ID, err)
	}
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w: %v", cert.ID, smartkort.ErrMalformed, err)
	}
	t := cert.token
	keys, err := t.find([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_ID, cert.ID),
	}, 1)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w", cert.ID, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("cannot use certificate %X: %w: it has no key", cert.ID, smartkort.ErrUnsupportedKey)
	}
	if t.wantsConsent(keys[0]) {
		return nil, fmt.Errorf("cannot use certificate %X: %w", cert.ID, smartkort.ErrConsent)
	}
	s := signer{ctx, t, keys[0]}
	switch public := parsed.PublicKey.(type) {
	case *rsa.PublicKey:
		return &rsaSigner{s, public}, nil
	case *ecdsa.PublicKey:
		return &ecSigner{s, public}, nil
	}
	return nil, fmt.Errorf("cannot use certificate %X: %w: %v", cert.ID, smartkort.ErrUnsupportedKey, parsed.PublicKeyAlgorithm)
}

// wantsConsent reads CKA_ALWAYS_AUTHENTICATE, which older modules lack.
func (t *token) wantsConsent(key pkcs11.ObjectHandle) bool {
	values, err := t.module.ctx.GetAttributeValue(t.session, key, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, nil),
	})
	return err == nil && len(values) == 1 && len(values[0].Value) == 1 && values[0].Value[0] != 0
}

type signer struct {
	ctx   context.Context
	token *token
	key   pkcs11.ObjectHandle
}

func (s signer) sign(mechanism *pkcs11.Mechanism, data []byte) ([]byte, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	ctx, session := s.token.module.ctx, s.token.session
	if err := ctx.SignInit(session, []*pkcs11.Mechanism{mechanism}, s.key); err != nil {
		return nil, err
	}
	return ctx.Sign(session, data)
}

// hashes are the supported hashes: their OID, and their mechanisms for PSS.
var hashes = map[crypto.Hash]struct {
	oid      asn1.ObjectIdentifier
	ckm, mgf uint
}{
	crypto.SHA256: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// checkDigest fails if a digest cannot be signed.
func checkDigest(digest []byte, hash crypto.Hash) error {
	if _, ok := hashes[hash]; !ok || len(digest) != hash.Size() {
		return fmt.Errorf("cannot sign: %w: hash %v with a digest of %d bytes", smartkort.ErrUnsupportedKey, hash, len(digest))
	}
	return nil
}

var errWrongSignature = errors.New("the module's signature does not match the certificate's key")

type rsaSigner struct {
	signer
	public *rsa.PublicKey
}

func (s *rsaSigner) Public() crypto.PublicKey { return s.public }

// Sign has the module sign a digest and verifies the signature. The card chooses
// the salt of PSS, which has the hash's length.
func (s *rsaSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash := opts.HashFunc()
	if err := checkDigest(digest, hash); err != nil {
		return nil, err
	}
	if _, isPSS := opts.(*rsa.PSSOptions); isPSS {
		h := hashes[hash]
		params := pkcs11.NewPSSParams(h.ckm, h.mgf, uint(hash.Size()))
		return s.checked(pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, params), digest, func(signature []byte) error {
			return rsa.VerifyPSS(s.public, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		})
	}
	// DigestInfo (RFC 8017 §9.2).
	info, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}{pkix.AlgorithmIdentifier{Algorithm: hashes[hash].oid, Parameters: asn1.NullRawValue}, digest})
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return s.checked(pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), info, func(signature []byte) error {
		return rsa.VerifyPKCS1v15(s.public, hash, digest, signature)
	})
}

func (s *rsaSigner) checked(m *pkcs11.Mechanism, data []byte, verify func(signature []byte) error) ([]byte, error) {
	signature, err := s.sign(m, data)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	if verify(signature) != nil {
		return nil, fmt.Errorf("cannot sign: %w", errWrongSignature)
	}
	return signature, nil
}

type ecSigner struct {
	signer
	public *ecdsa.PublicKey
}

func (s *ecSigner) Public() crypto.PublicKey { return s.public }

// Sign has the module sign a digest, truncated to the curve's length. It converts
// CKM_ECDSA's concatenation of R and S to an Ecdsa-Sig-Value (RFC 3279 §2.2.3),
// as crypto/ecdsa returns it.
func (s *ecSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := checkDigest(digest, opts.HashFunc()); err != nil {
		return nil, err
	}
	field := (s.public.Curve.Params().BitSize + 7) / 8
	raw, err := s.sign(pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest[:min(len(digest), field)])
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	half := len(raw) / 2
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
	if err != nil || !ecdsa.VerifyASN1(s.public, digest, signature) {
		return nil, fmt.Errorf("cannot sign: %w", errWrongSignature)
	}
	return signature, nil
}
