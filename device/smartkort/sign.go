package smartkort

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// digestInfo holds the DER of DigestInfo up to the digest (RFC 8017 §9.2
// note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: []byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
	crypto.SHA384: []byte("\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"),
	crypto.SHA512: []byte("\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"),
}

const (
	maxRSA  = 512  // bytes of a modulus and a signature
	rsaPKCS = 0x01 // CKM_RSA_PKCS, by which AlgorithmInfo names it (PKCS #11)
)

// ErrUnsupportedKey says that the driver does not sign with this kind of key,
// or not in the way asked for.
var ErrUnsupportedKey = errors.New("unsupported kind of signature")

// Signer gives the private key of a certificate: RSA, PKCS #1 v1.5 over
// SHA-256, SHA-384 or SHA-512. The PIN must have been verified before it
// signs. Commands run under ctx, since crypto.Signer carries none.
func (c *Card) Signer(ctx context.Context, cert Certificate) (crypto.Signer, error) {
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w: %v", cert.ID, ErrMalformed, err)
	}
	public, ok := parsed.PublicKey.(*rsa.PublicKey)
	if !ok || cert.Key.kind != keyRSA {
		return nil, fmt.Errorf("cannot use certificate %X: %w: %v, key %s", cert.ID, ErrUnsupportedKey, parsed.PublicKeyAlgorithm, cert.Key.Kind())
	}
	if public.Size() > maxRSA {
		return nil, fmt.Errorf("cannot use certificate %X: %w: RSA key of %d bits", cert.ID, ErrUnsupportedKey, public.N.BitLen())
	}
	return &signer{ctx: ctx, card: c, key: cert.Key, public: public}, nil
}

type signer struct {
	ctx    context.Context
	card   *Card
	key    Key
	public *rsa.PublicKey
}

func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign has the card sign digest: MANAGE SECURITY ENVIRONMENT names the key,
// PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE takes the DigestInfo,
// which the card pads (ISO 7816-8 §11.2, §11.3, §11.7). What comes back is
// checked with the public key, so that a card that lies is found out here.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	prefix, ok := digestInfo[opts.HashFunc()]
	if _, pss := opts.(*rsa.PSSOptions); !ok || pss || len(digest) != opts.HashFunc().Size() {
		return nil, fmt.Errorf("cannot sign: %w: %T %v over %d bytes", ErrUnsupportedKey, opts, opts.HashFunc(), len(digest))
	}
	environment, err := s.card.environment(s.ctx, s.key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	if _, err := s.card.demand(s.ctx, apdu.Command{INS: insMSE, P1: 0x41, P2: 0xB6, Data: environment}); err != nil {
		return nil, fmt.Errorf("cannot sign: cannot choose the key: %w", err)
	}
	signature, err := s.card.demand(s.ctx, apdu.Command{
		INS: insPSO, P1: 0x9E, P2: 0x9A,
		Data: append(bytes.Clone(prefix), digest...), Le: min(s.public.Size(), apdu.MaxShortLe),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	if err := rsa.VerifyPKCS1v15(s.public, opts.HashFunc(), digest, signature); err != nil {
		return nil, fmt.Errorf("cannot sign: the card's signature of %d bytes is wrong: %w", len(signature), err)
	}
	return signature, nil
}

// demand carries out a command for which any status but 9000 is an error.
func (c *Card) demand(ctx context.Context, cmd apdu.Command) ([]byte, error) {
	r, err := apdu.Exchange(ctx, c.conn, cmd)
	if err != nil {
		return nil, err
	}
	if r.SW != apdu.OK {
		return nil, r.SW
	}
	return r.Data, nil
}

// environment gives the data of MSE: SET for a digital signature: the
// algorithm (80) where the card numbers it, the key by reference (84) and file
// (81), as far as the directory states them (ISO 7816-4 §10.3.3).
func (c *Card) environment(ctx context.Context, k Key) ([]byte, error) {
	var crt []byte
	if len(k.algorithms) > 0 {
		info, err := c.TokenInfo(ctx)
		if err != nil {
			return nil, err
		}
		if ref, ok := info.signing(k.algorithms); ok {
			crt = tlv.Append(crt, 0x80, ref)
		}
	}
	if k.Reference >= 0 {
		crt = tlv.Append(crt, 0x84, byte(k.Reference))
	} else if len(k.Path.File) >= 2 {
		crt = tlv.Append(crt, 0x81, k.Path.File[len(k.Path.File)-2:]...)
	}
	return crt, nil
}

// signing gives the card's own number of the first of a key's algorithms that
// signs a DigestInfo, padding it as PKCS #1 v1.5 has it.
func (t TokenInfo) signing(references []int) (byte, bool) {
	for _, ref := range references {
		for _, a := range t.algorithms {
			if a.reference == ref && a.signs && a.mechanism == rsaPKCS && a.card >= 0 {
				return byte(a.card), true
			}
		}
	}
	return 0, false
}
