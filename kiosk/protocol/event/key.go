package event

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// The only algorithms and header types of events.
const (
	signAlgorithm = jose.ES256
	keyAlgorithm  = jose.ECDH_ES_A256KW
	encryption    = jose.A256GCM

	// signedType prevents that something else which the device key has signed is
	// accepted as an event (RFC 8725 §3.11).
	signedType = "smartkiosk-event+jws"
	// sealedType says that the JWE contains a JWS (RFC 7515 §4.1.9, 4.1.10).
	sealedType = "JOSE"
)

var errNotP256 = errors.New("key is not ECDSA P-256")

// KeyID returns the identifier of a P-256 public key: its RFC 7638 thumbprint
// with SHA-256, in base64url.
func KeyID(public crypto.PublicKey) (string, error) {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok || k == nil || k.Curve != elliptic.P256() {
		return "", errNotP256
	}
	point, err := k.Bytes() // uncompressed (SEC 1 §2.3.3)
	if err != nil {
		return "", errNotP256
	}
	text := append(make([]byte, 0, 128), `{"crv":"P-256","kty":"EC","x":"`...)
	text = append(base64url.AppendEncode(text, point[1:33]), `","y":"`...)
	text = append(base64url.AppendEncode(text, point[33:]), `"}`...)
	sum := sha256.Sum256(text)
	return base64url.EncodeToString(sum[:]), nil
}
