package webeid

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // register the hashes of the algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// Algorithm is the name of a JOSE signature algorithm (RFC 7518 §3.1).
type Algorithm string

// scheme contains the parameters of an algorithm.
type scheme struct {
	hash  crypto.Hash
	curve elliptic.Curve // for ECDSA; nil for RSA
	pss   bool           // true: RSASSA-PSS with a salt as long as the hash; false: PKCS #1 v1.5
}

var schemes = map[Algorithm]scheme{
	"ES256": {hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384": {hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512": {hash: crypto.SHA512, curve: elliptic.P521()},
	"PS256": {hash: crypto.SHA256, pss: true},
	"PS384": {hash: crypto.SHA384, pss: true},
	"PS512": {hash: crypto.SHA512, pss: true},
	"RS256": {hash: crypto.SHA256},
	"RS384": {hash: crypto.SHA384},
	"RS512": {hash: crypto.SHA512},
}

// algorithmFor returns the algorithm that Sign uses with a key. For RSA it is
// RS256, which every RSA card supports; for ECDSA it is the algorithm of the
// key's curve.
func algorithmFor(public crypto.PublicKey) (Algorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		for name, s := range schemes {
			if s.curve == k.Curve {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("no algorithm for a key of type %T", public)
}

// fits reports whether s can be used with a key.
func (s scheme) fits(public crypto.PublicKey) bool {
	if k, ok := public.(*ecdsa.PublicKey); ok {
		return s.curve == k.Curve
	}
	_, ok := public.(*rsa.PublicKey)
	return ok && s.curve == nil
}

// digest returns the value to be signed: H(H(origin) ‖ H(nonce)). The nonce is
// hashed as its base64 text.
func (s scheme) digest(origin, nonce string) []byte {
	sum := func(parts ...[]byte) []byte {
		h := s.hash.New()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	return sum(sum([]byte(origin)), sum([]byte(nonce)))
}

func (s scheme) options() crypto.SignerOpts {
	if s.pss {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}
	}
	return s.hash
}

// fromSigner converts a signature of a crypto.Signer into the form in a token.
// An ECDSA signature is converted from DER (RFC 3279 §2.2.3) to R ‖ S (RFC 7518
// §3.4).
func (s scheme) fromSigner(signature []byte) ([]byte, error) {
	if s.curve == nil {
		return signature, nil
	}
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &rs)
	n := s.scalar()
	if err != nil || len(rest) > 0 || rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > 8*n || rs.S.BitLen() > 8*n {
		return nil, errors.New("the signature is no ECDSA signature")
	}
	raw := make([]byte, 2*n)
	rs.R.FillBytes(raw[:n])
	rs.S.FillBytes(raw[n:])
	return raw, nil
}

// scalar returns the length of R or S in bytes.
func (s scheme) scalar() int { return (s.curve.Params().BitSize + 7) / 8 }

// verify reports whether signature, in the form of a token, is a valid
// signature of digest.
func (s scheme) verify(public crypto.PublicKey, digest, signature []byte) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if s.pss {
			return rsa.VerifyPSS(k, s.hash, digest, signature, s.options().(*rsa.PSSOptions)) == nil
		}
		return rsa.VerifyPKCS1v15(k, s.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		n := s.scalar()
		if len(signature) != 2*n {
			return false
		}
		r, t := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
		return ecdsa.Verify(k, digest, r, t)
	}
	return false
}
