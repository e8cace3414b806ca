// Package sealkey manages the keys that events are sealed to. Keys can be replaced while
// sealed events wait on kiosks. A hub has a file of private keys: kiosks seal events to the
// newest key, and the older keys open events that were sealed earlier. A kiosk has a file
// with the newest public key that it has received.
//
// Both files are only replaced as a whole. After a power cut each file has either its old
// content or its new content.
package sealkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/protocol/event"
)

// Key is a P-256 key, private or public, as a JWK (RFC 7517). The member iat of the JWK is
// the time at which the key was made, in seconds since 1970 (a member that OpenID
// Federation 1.0 defines for keys, in the form of RFC 7519 §4.1.6). KeyID is that of
// event.KeyID.
type Key struct {
	jose.JSONWebKey
	Made time.Time // UTC, to the second; zero if the file does not say
}

// algorithm is the algorithm with which all events are sealed.
const algorithm = string(jose.ECDH_ES_A256KW)

// generate makes a private key. Its KeyID does not begin with a hyphen, so that no command
// line takes it for a flag.
func generate(made time.Time) (Key, error) {
	for {
		k, err := generateAny(made)
		if err != nil || k.KeyID[0] != '-' {
			return k, err
		}
	}
}

func generateAny(made time.Time) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make a sealing key: %w", err)
	}
	id, err := event.KeyID(&private.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make a sealing key: %w", err)
	}
	k := jose.JSONWebKey{Key: private, KeyID: id, Use: "enc", Algorithm: algorithm}
	return Key{JSONWebKey: k, Made: made.UTC().Truncate(time.Second)}, nil
}

// Public returns the public half.
func (k Key) Public() Key { return Key{k.JSONWebKey.Public(), k.Made} }

// MarshalJSON returns the JWK.
func (k Key) MarshalJSON() ([]byte, error) {
	text, err := k.JSONWebKey.MarshalJSON()
	if err != nil || k.Made.IsZero() {
		return text, err
	}
	return fmt.Appendf(text[:len(text)-1], `,"iat":%d}`, k.Made.Unix()), nil
}

// maxMade is the last second of the year 9999.
const maxMade = 253402300799

// UnmarshalJSON reads a JWK, which must be a P-256 key. It ignores the kid.
func (k *Key) UnmarshalJSON(text []byte) error {
	var read Key
	var times struct {
		Made *int64 `json:"iat"`
	}
	if err := read.JSONWebKey.UnmarshalJSON(text); err != nil {
		return errors.New("no JWK") // go-jose's messages may quote the key
	}
	if err := json.Unmarshal(text, &times); err != nil || times.Made != nil && (*times.Made <= 0 || *times.Made > maxMade) {
		return errors.New("iat is not a valid time")
	}
	var err error
	if read.KeyID, err = event.KeyID(read.JSONWebKey.Public().Key); err != nil {
		return err
	}
	if times.Made != nil {
		read.Made = time.Unix(*times.Made, 0).UTC()
	}
	*k = read
	return nil
}
