package hub

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/protocol/event"
)

// writeSigningJWK makes a P-256 key pair and writes it as a private JWK
// (RFC 7517).
func writeSigningJWK(path string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	id, err := event.KeyID(key.Public())
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(jose.JSONWebKey{Key: key, KeyID: id, Use: "sig", Algorithm: string(jose.ES256)}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// copyPublicJWK writes the public half of a private JWK.
func copyPublicJWK(to, from string) error {
	key, err := readPrivateJWK(from)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(key.Public(), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(to, append(text, '\n'), 0o644)
}

// readPrivateJWK reads one of the hub's own keys.
func readPrivateJWK(path string) (jose.JSONWebKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("cannot read the hub's key: %w", err)
	}
	var key jose.JSONWebKey
	if json.Unmarshal(text, &key) != nil || key.IsPublic() || !key.Valid() {
		return jose.JSONWebKey{}, fmt.Errorf("cannot read the hub's key: %s does not hold a private JWK", path)
	}
	return key, nil
}
