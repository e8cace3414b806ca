package event

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
)

// go-jose parses a JWE or JWS more than once, and accepts everything that JOSE allows. A
// hub opens many events, which all have one form. The code in this file accepts only that
// form, makes the same checks, and decodes each part once.

// compact holds the parts of a compact serialisation (RFC 7515 §3.1, RFC 7516 §3.1).
type compact struct {
	head   object   // the protected header
	parts  [][]byte // decoded, the protected header included
	signed int      // length of the text before the last dot
}

// base64url accepts only the canonical form: with other trailing bits, one signature
// would have several links.
var base64url = base64.RawURLEncoding.Strict()

// readCompact splits a compact serialisation with this number of parts.
func readCompact(text []byte, parts int) (compact, error) {
	c := compact{signed: bytes.LastIndexByte(text, '.')}
	if bytes.Count(text, []byte{'.'}) != parts-1 {
		return c, fmt.Errorf("%w: compact serialisation does not have %d parts", ErrMalformed, parts)
	}
	for part := range bytes.SplitSeq(text, []byte{'.'}) {
		size := base64url.DecodedLen(len(part))
		b := make([]byte, size, size+tagSize) // see decrypt
		// Decode skips line breaks, so the length is compared too.
		n, err := base64url.Decode(b, part)
		if err != nil || base64url.EncodedLen(n) != len(part) {
			return c, fmt.Errorf("%w: compact serialisation is not base64url", ErrMalformed)
		}
		c.parts = append(c.parts, b)
	}
	var err error
	if c.head, err = readObject(c.parts[0]); err != nil {
		return c, fmt.Errorf("%w: protected header: %w", ErrMalformed, err)
	}
	return c, nil
}

// unseal decrypts a JWE and returns the JWS in it.
func (o *Opener) unseal(jwe []byte) ([]byte, error) {
	c, err := readCompact(jwe, 5)
	if err != nil {
		return nil, err
	}
	if !c.head.is("alg", string(keyAlgorithm)) || !c.head.is("enc", string(encryption)) || !c.head.is("cty", sealedType) ||
		!c.head.only("alg", "enc", "cty", "kid", "epk") {
		return nil, ErrAlgorithm
	}
	var kid string
	if c.head.read("kid", &kid) != nil || o.keys[kid] == nil {
		return nil, ErrHubKey
	}
	ephemeral, err := readEphemeral(c.head)
	if err != nil {
		return nil, ErrSeal
	}
	jws, err := c.decrypt(o.keys[kid], ephemeral, jwe[:bytes.IndexByte(jwe, '.')])
	if err != nil {
		return nil, ErrSeal
	}
	return jws, nil
}

// readEphemeral reads the sender's ephemeral key (RFC 7518 §4.6.1.1): a JWK with a
// public P-256 key and no other members (§6.2.1). The point must be on the curve.
func readEphemeral(head object) (*ecdh.PublicKey, error) {
	epk, err := readObject(head.get("epk"))
	if err != nil {
		return nil, err
	}
	point := []byte{4} // uncompressed (SEC 1 §2.3.3)
	for _, name := range []string{"x", "y"} {
		var text string
		if err := epk.read(name, &text); err != nil {
			return nil, err
		}
		coordinate, err := base64url.DecodeString(text)
		if err != nil || len(coordinate) != 32 {
			return nil, errNotP256
		}
		point = append(point, coordinate...)
	}
	if !epk.is("kty", "EC") || !epk.is("crv", "P-256") || !epk.only("kty", "crv", "x", "y") {
		return nil, errNotP256
	}
	return ecdh.P256().NewPublicKey(point)
}

// Sizes in bytes for A256KW and A256GCM (RFC 7518 §4.4, §5.3).
const keySize, ivSize, tagSize = 32, 12, 16

// decrypt does RFC 7516 §5.2 for ECDH-ES+A256KW and A256GCM. It checks all sizes
// first, because the library panics on an IV of another size.
func (c compact) decrypt(key *ecdh.PrivateKey, ephemeral *ecdh.PublicKey, protected []byte) ([]byte, error) {
	wrapped, iv, text, tag := c.parts[1], c.parts[2], c.parts[3], c.parts[4]
	if len(wrapped) != keySize+8 || len(iv) != ivSize || len(tag) != tagSize {
		return nil, ErrSeal
	}
	secret, err := key.ECDH(ephemeral)
	if err != nil {
		return nil, err
	}
	wrapping, err := aes.NewCipher(deriveKey(secret))
	if err != nil {
		return nil, err
	}
	contentKey, err := josecipher.KeyUnwrap(wrapping, wrapped)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text = append(text, tag...)
	return gcm.Open(text[:0], iv, text, protected)
}

// deriveKey derives the key-wrapping key from the agreed secret with Concat KDF
// (RFC 7518 §4.6.2): one round of SHA-256, a key of 256 bits, no party information.
func deriveKey(secret []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = append(b, secret...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(keyAlgorithm)))
	b = append(b, keyAlgorithm...)
	b = binary.BigEndian.AppendUint32(b, 0) // PartyUInfo
	b = binary.BigEndian.AppendUint32(b, 0) // PartyVInfo
	b = binary.BigEndian.AppendUint32(b, 256)
	sum := sha256.Sum256(b)
	return sum[:]
}

// verify checks a JWS (RFC 7515 §5.2, ES256: RFC 7518 §3.4) and returns the signed
// text.
func verify(jws []byte, device []crypto.PublicKey) ([]byte, error) {
	c, err := readCompact(jws, 3)
	if err != nil {
		return nil, err
	}
	if !c.head.is("alg", string(signAlgorithm)) || !c.head.is("typ", signedType) || !c.head.only("alg", "typ", "kid") {
		return nil, ErrAlgorithm
	}
	signature := c.parts[2]
	if len(signature) != 64 {
		return nil, ErrSignature
	}
	sum := sha256.Sum256(jws[:c.signed])
	for _, key := range device {
		if id, err := KeyID(key); err != nil || !c.head.is("kid", id) {
			continue
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if !ecdsa.Verify(key.(*ecdsa.PublicKey), sum[:], r, s) {
			return nil, ErrSignature
		}
		return c.parts[1], nil
	}
	return nil, ErrDeviceKey
}
