package hubpolicy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"smartkiosk/kiosk/protocol/raucbundle"
)

// Update offers a kiosk a new version of its whole system: a RAUC bundle that the hub serves
// under its digest. The policy's signature proves what the hub offers. RAUC checks the
// bundle's own signature, whose key the hub does not have.
type Update struct {
	Version    string   `json:"version"`
	Compatible string   `json:"compatible"`     // the kind of machine that it is for
	Digest     string   `json:"digest"`         // SHA-256 of the bundle, hexadecimal
	Size       int64    `json:"size"`           // bytes
	When       Calendar `json:"when,omitempty"` // during which it may be installed
}

// check checks an update and loads its time zone. A nil update is valid.
func (u *Update) check() error {
	if u == nil {
		return nil
	}
	b, err := hex.DecodeString(u.Digest)
	switch {
	case err != nil || len(b) != sha256.Size || u.Digest != strings.ToLower(u.Digest):
		return fmt.Errorf("update: the digest is not 64 lower-case hexadecimal digits")
	case u.Size <= 0 || u.Size > raucbundle.MaxSize:
		return fmt.Errorf("update: a bundle of %d bytes", u.Size)
	case !raucbundle.ValidName(u.Version) || !raucbundle.ValidName(u.Compatible):
		return fmt.Errorf("update: version %q or compatible %q is not 1 to 64 letters, digits and any of . + ~ _ -", u.Version, u.Compatible)
	}
	if err := u.When.Prepare(); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	return nil
}
