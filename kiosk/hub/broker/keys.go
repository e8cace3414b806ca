package broker

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Credentials prove the hub to one broker. They print as [secret].
type Credentials struct {
	signing   []jose.JSONWebKey // private; the first signs
	opening   []jose.JSONWebKey // private; open what the broker encrypts
	secret    string
	merchant  *tls.Certificate   // with its Leaf; nil for none
	thumbs    []string           // of all keys, RFC 7638
	public    jose.JSONWebKeySet // of all keys
	publicKey []byte             // the same as JSON
}

// Format prints [secret].
func (c *Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// PublicKeys returns the public halves of the keys as a JWK set (RFC 7517), which the
// operator registers at the broker.
func (c *Credentials) PublicKeys() []byte { return c.publicKey }

// readSecretFile reads a file that only its owner may read.
func readSecretFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others can read %s (mode %04o): chmod 600 it", path, mode)
	}
	return os.ReadFile(path)
}

// readKeys reads a private JWK set. A key with "use": "enc" opens, any other signs. Two
// signing keys are there during a rotation: the first is the one in use, and the broker
// knows both.
func (c *Credentials) readKeys(path string) error {
	text, err := readSecretFile(path)
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if json.Unmarshal(text, &set) != nil {
		return fmt.Errorf("%s does not hold a JWK set", path)
	}
	for i, k := range set.Keys {
		switch {
		case k.IsPublic() || !k.Valid():
			return fmt.Errorf("key %d of %s is not a private key", i+1, path)
		case k.KeyID == "":
			return fmt.Errorf("key %d of %s has no kid", i+1, path)
		case k.Use == "enc":
			c.opening = append(c.opening, k)
		default:
			if k.Algorithm == "" {
				return fmt.Errorf("key %d of %s has no alg", i+1, path)
			}
			c.signing = append(c.signing, k)
		}
		if err := c.addPublic(k.Public()); err != nil {
			return fmt.Errorf("key %d of %s: %w", i+1, path, err)
		}
	}
	return nil
}

// addPublic adds the public half of a key.
func (c *Credentials) addPublic(k jose.JSONWebKey) error {
	thumb, err := thumbprint(k)
	if err != nil {
		return err
	}
	c.thumbs = append(c.thumbs, thumb)
	c.public.Keys = append(c.public.Keys, k)
	return nil
}

// marshalPublic completes the credentials.
func (c *Credentials) marshalPublic() (err error) {
	if len(c.public.Keys) > 0 {
		c.publicKey, err = json.MarshalIndent(c.public, "", "  ")
	}
	return err
}

func (c *Credentials) readSecret(path string) error {
	text, err := readSecretFile(path)
	if err != nil {
		return err
	}
	if c.secret = strings.TrimSpace(string(text)); c.secret == "" {
		return errors.New(path + " is empty")
	}
	return nil
}
