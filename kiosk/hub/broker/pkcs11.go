package broker

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// PKCS11 names the signing keys in a PKCS #11 token, for example of an HSM. All keys whose
// label begins with Keys are the hub's; the first in the order of their labels signs. The
// label is the key's kid. For a rotation the operator makes a second key with a later label,
// registers both at the broker, and deletes the first.
type PKCS11 struct {
	Module string `toml:"module"` // library
	Token  string `toml:"token"`  // label of the token
	PIN    string `toml:"pin"`    // file with the PIN, mode 0600
	Keys   string `toml:"keys"`
}

// TokenKey is a private key in a token.
type TokenKey struct {
	Label  string
	Signer crypto.Signer
}

// tokenKeys opens tokens; nil in a program without PKCS #11.
var tokenKeys func(p PKCS11, pin func() ([]byte, error)) ([]TokenKey, error)

// RegisterPKCS11 makes configurations with a PKCS11 table usable. open returns the keys of
// a token, each time as they are then; pin returns the PIN, which open wipes. A program that
// has PKCS #11 calls it before it reads a configuration.
func RegisterPKCS11(open func(p PKCS11, pin func() ([]byte, error)) ([]TokenKey, error)) {
	tokenKeys = open
}

func (p *PKCS11) check() error {
	for name, value := range map[string]string{"module": p.Module, "token": p.Token, "pin": p.PIN, "keys": p.Keys} {
		if value == "" {
			return fmt.Errorf("pkcs11.%s is missing", name)
		}
	}
	return nil
}

// readToken adds the keys of a token. pin is the path of the file.
func (c *Credentials) readToken(p PKCS11, pin string) error {
	if tokenKeys == nil {
		return errors.New("this kioskhub was built without PKCS #11; build it with go build -tags pkcs11")
	}
	keys, err := tokenKeys(p, func() ([]byte, error) {
		text, err := readSecretFile(pin)
		return trimmed(text), err
	})
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return fmt.Errorf("token %q has no key whose label begins with %q", p.Token, p.Keys)
	}
	for _, k := range keys {
		algorithm, err := algorithmOf(k.Signer.Public())
		if err != nil {
			return fmt.Errorf("key %q of token %q: %w", k.Label, p.Token, err)
		}
		public := jose.JSONWebKey{Key: k.Signer.Public(), KeyID: k.Label, Algorithm: algorithm, Use: "sig"}
		if err := c.addPublic(public); err != nil {
			return fmt.Errorf("key %q of token %q: %w", k.Label, p.Token, err)
		}
		private := public
		private.Key = cryptosigner.Opaque(k.Signer)
		c.signing = append(c.signing, private)
	}
	return nil
}

// algorithmOf returns the JWS algorithm of a key (RFC 7518 §3.1).
func algorithmOf(public crypto.PublicKey) (string, error) {
	k, ok := public.(*ecdsa.PublicKey)
	switch {
	case !ok:
		return string(jose.RS256), nil // the token has only RSA besides ECDSA
	case k.Curve == elliptic.P256():
		return string(jose.ES256), nil
	case k.Curve == elliptic.P384():
		return string(jose.ES384), nil
	}
	return "", errors.New("its curve is neither P-256 nor P-384")
}

// trimmed returns text without white space at its end.
func trimmed(text []byte) []byte {
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r' || text[len(text)-1] == ' ') {
		text = text[:len(text)-1]
	}
	return text
}
