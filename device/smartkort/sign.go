package smartkort

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// maxRSA is the longest modulus and signature, in bytes.
const maxRSA = 512

// ErrUnsupportedKey means that the driver or the card cannot sign with this
// kind of key, or not with the requested padding or hash.
var ErrUnsupportedKey = errors.New("unsupported kind of signature")

// ErrConsent means that the PIN must be verified again before the key signs
// once more. Nothing was sent.
var ErrConsent = errors.New("the PIN must be entered again for this signature")

// Signer returns the private key of a certificate: RSA of up to 4096 bits with
// PKCS #1 v1.5 or PSS, or ECDSA on P-256 or P-384, over SHA-256, SHA-384 or
// SHA-512. ECDSA signatures are always ASN.1, as in crypto/ecdsa. The PIN must
// be verified before Sign is called. Sign uses ctx for its commands, because
// crypto.Signer takes no context.
func (c *Card) Signer(ctx context.Context, cert Certificate) (crypto.Signer, error) {
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w: %v", cert.ID, ErrMalformed, err)
	}
	s := signer{ctx: ctx, card: c, key: cert.Key}
	switch public := parsed.PublicKey.(type) {
	case *rsa.PublicKey:
		if cert.Key.kind == keyRSA && public.Size() <= maxRSA {
			return &rsaSigner{s, public}, nil
		}
	case *ecdsa.PublicKey:
		if cert.Key.kind == keyEC && (public.Curve == elliptic.P256() || public.Curve == elliptic.P384()) {
			return &ecSigner{s, public}, nil
		}
	}
	return nil, fmt.Errorf("cannot use certificate %X: %w: %v, key %s", cert.ID, ErrUnsupportedKey, parsed.PublicKeyAlgorithm, cert.Key.Kind())
}

// signer is the common part of rsaSigner and ecSigner.
type signer struct {
	ctx  context.Context
	card *Card
	key  Key
}

type rsaSigner struct {
	signer
	public *rsa.PublicKey
}

func (s *rsaSigner) Public() crypto.PublicKey { return s.public }

// Sign lets the card sign a digest and verifies the signature with the public
// key, so that a wrong signature is detected here. random provides the salt of
// PSS if the card does not make it.
func (s *rsaSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	pss, isPSS := opts.(*rsa.PSSOptions)
	hash := opts.HashFunc()
	if digestInfo[hash] == nil || len(digest) != hash.Size() {
		return nil, fmt.Errorf("cannot sign: %w: %v over %d bytes", ErrUnsupportedKey, hash, len(digest))
	}
	var r recipe
	var err error
	var data []byte
	var verify func(signature []byte) error
	if isPSS {
		salt := pssSalt(pss, hash)
		r, err = s.card.rsaPSS(s.key, hash)
		verify = func(signature []byte) error {
			return rsa.VerifyPSS(s.public, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt})
		}
		if data = digest; err == nil && r.name == recipeBlock {
			data, err = encodePSS(random, digest, s.public.N.BitLen(), salt, hash)
		}
	} else {
		r, err = s.card.rsaPKCS(s.key, hash)
		verify = func(signature []byte) error { return rsa.VerifyPKCS1v15(s.public, hash, digest, signature) }
		data = r.pkcs1(digest, hash, s.public.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	signature, err := s.sign(r, data, s.public.Size())
	if err != nil {
		return nil, s.refused(err)
	}
	if err := verify(signature); err != nil {
		return nil, s.wrongSignature(signature, err)
	}
	s.card.proven = true
	return signature, nil
}

type ecSigner struct {
	signer
	public *ecdsa.PublicKey
}

func (s *ecSigner) Public() crypto.PublicKey { return s.public }

// Sign lets the card sign a digest, truncated to the size of the curve (ANSI
// X9.62, FIPS 186-5 §6.4.1). Cards return R and S concatenated or in DER. Sign
// converts both to DER and verifies the signature.
func (s *ecSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash := opts.HashFunc()
	if digestInfo[hash] == nil || len(digest) != hash.Size() {
		return nil, fmt.Errorf("cannot sign: %w: %v over %d bytes", ErrUnsupportedKey, hash, len(digest))
	}
	r, err := s.card.ecdsa(s.key, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	field := (s.public.Curve.Params().BitSize + 7) / 8
	answer, err := s.sign(r, digest[:min(len(digest), field)], apdu.MaxShortLe)
	if err != nil {
		return nil, s.refused(err)
	}
	for _, signature := range [][]byte{answer, derOfRaw(answer, field)} {
		if signature != nil && ecdsa.VerifyASN1(s.public, digest, signature) {
			s.card.proven = true
			return signature, nil
		}
	}
	return nil, s.wrongSignature(answer, errors.New("ECDSA verification error"))
}

// derOfRaw converts the concatenation of R and S to an Ecdsa-Sig-Value (RFC
// 3279 §2.2.3). It returns nil when the length is wrong.
func derOfRaw(raw []byte, field int) []byte {
	if len(raw) != 2*field {
		return nil
	}
	var value []byte
	for _, n := range [][]byte{raw[:field], raw[field:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0]&0x80 != 0 {
			n = append([]byte{0}, n...)
		}
		value = tlv.Append(value, tagInteger, n...)
	}
	return tlv.Append(nil, tagSequence, value...)
}

// sign carries out a recipe: MANAGE SECURITY ENVIRONMENT selects the key, and
// PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE or INTERNAL
// AUTHENTICATE sends the data (ISO 7816-8 §11.2, §11.3, §11.7, ISO 7816-4
// §11.6.1).
func (s *signer) sign(r recipe, data []byte, size int) ([]byte, error) {
	pin, err := s.card.pinFor(s.ctx, s.key)
	guarded := err == nil
	if n := s.key.UserConsent; guarded && n > 0 && s.card.uses[string(pin.ID)] >= n {
		return nil, ErrConsent
	}
	template, cmd := byte(0xB6), apdu.Command{INS: insPSO, P1: 0x9E, P2: 0x9A}
	if r.name == recipeInternal {
		template, cmd = 0xA4, apdu.Command{INS: insInternalAuth}
	}
	if _, err := s.card.channel.demand(s.ctx, apdu.Command{INS: insMSE, P1: 0x41, P2: template, Data: s.key.environment(r)}); err != nil {
		return nil, fmt.Errorf("cannot select key: %w", err)
	}
	if guarded {
		s.card.uses[string(pin.ID)]++
	}
	cmd.Data, cmd.Le = data, size
	return s.card.channel.demand(s.ctx, cmd)
}

// refused is the error for a signature that was not made. If the card refused,
// an outdated cache can be the cause, so the card is forgotten.
func (s *signer) refused(err error) error {
	if isStatus(err) {
		s.card.forgetCard()
	}
	return fmt.Errorf("cannot sign: %w", err)
}

// wrongSignature is the error for a signature that does not verify under the
// certificate. An outdated cache can be the cause, so the card is forgotten.
func (s *signer) wrongSignature(signature []byte, err error) error {
	s.card.forgetCard()
	return fmt.Errorf("cannot sign: the card's signature of %d bytes is wrong: %w", len(signature), err)
}
