// Package hubpolicy defines the policy that a hub gives to each of its kiosks: whose cards
// are accepted, which cards are revoked, and what the kiosk may decide without the hub. The
// hub makes a Policy and signs it. The kiosk's Syncer (kiosk/policy) fetches and verifies
// it, and keeps the newest one for times when the kiosk cannot reach a hub.
//
// A signed policy is a JWS in compact serialisation (RFC 7515), ES256, of type
// "smartkiosk-policy+jws". The kiosk received the public key from its hub's operator. CRLs
// are too large to be part of the policy, so the policy names each by its digest. The kiosk
// does not download the CA's CRL but only the set of its serial numbers
// (trust.CRL.WriteTo), which is all that the kiosk needs and a fifth of the size. The set
// is as trustworthy as the policy, because the signer of the policy also chooses the CAs.
//
// # Names of holders
//
// A policy names denied holders, the hub tells its kiosks who is known, and a kiosk counts
// offline grants by holder. All this lies on the kiosk's SD card, with the keys that the
// kiosk needs to use it. A thief of the card must not learn from it who the holders are.
// There are only 10⁹ Buypass numbers, so a fast keyed hash would not help: whoever has the
// key can try all numbers in minutes.
//
// Therefore a holder's identifier is first hashed with Argon2id, which needs 64 MiB and
// tens of milliseconds (HashHolder). Its salt belongs to the hub. So the hub hashes each
// holder once for all kiosks and stores the result. The pseudonym at a kiosk is an
// HMAC-SHA256 of that hash under a key that only this kiosk has. So the pseudonyms of two
// kiosks cannot be compared, and no kiosk learns anything from another kiosk's pseudonyms.
//
// A kiosk computes the hash while the card signs, and remembers it in memory for the day.
// It stores a pseudonym only under a second HMAC, and the policy only encrypted. The key of
// both is sealed by the TPM if the kiosk has one; see packages offline and policy.
//
// What remains possible: somebody who has the keys can check whether a certain person is
// named. This takes as long as one hash, so it works for a list of employees, but takes
// years for all numbers. The search can be shared among many computers, and its result
// serves for all kiosks of one hub.
package hubpolicy

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// MediaType is the media type of a signed policy (RFC 7515 §9.2.1).
const MediaType = "application/jose"

// MaxSize is the maximum size of a signed policy, in bytes.
const MaxSize = 1 << 20

const signedType = "smartkiosk-policy+jws"

// Policy is what a hub tells one kiosk.
type Policy struct {
	Kiosk      string    `json:"kiosk"`       // the kiosk that this policy is for
	IssuedAt   time.Time `json:"issued_at"`   // of two policies the later one is used
	ValidUntil time.Time `json:"valid_until"` // after this time the kiosk must not decide by this policy

	Offline  OfflineRules     `json:"offline"`
	Deny     []DenyRule       `json:"deny,omitempty"`     // apply to the kiosk's own verdicts
	Warnings []Warning        `json:"warnings,omitempty"` // in which ways Offline is wider than the hub's rules
	Domains  []trust.Document `json:"domains"`
	CRLs     []CRL            `json:"crls"`
	Holders  HolderKeys       `json:"holders"` // of the pseudonyms in Deny and of known holders
	Seal     sealkey.Key      `json:"seal"`    // public key that events are sealed to
	// Services are what the kiosk offers apart from the login.
	Services kiosk.Services `json:"services,omitzero"`
	// Update is the system that the kiosk is to install, or nil.
	Update *Update `json:"update,omitempty"`
	// Doctor is a question of the operator, which the kiosk answers with the report of its
	// doctor; "" for none.
	Doctor string `json:"doctor,omitempty"`
	// AskEvery is how often the kiosk requests a newer policy.
	AskEvery Duration `json:"ask_every"`
}

// CRL names a CRL set that belongs to the policy.
type CRL struct {
	Domain string `json:"domain"`
	Digest string `json:"digest"` // SHA-256 of the set, hexadecimal
	Size   int64  `json:"size"`   // bytes
}

// version names a policy by the hash of its signed text. It is also the HTTP
// entity tag.
func version(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Sign signs a policy with a private P-256 key and returns its version.
func Sign(o Policy, key jose.JSONWebKey) (jws, ver string, err error) {
	text, err := json.Marshal(o)
	if err == nil {
		jws, err = sign(text, signedType, key)
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot sign policy: %w", err)
	}
	return jws, version(text), nil
}

// sign signs a text of a type of ours.
func sign(text []byte, typ jose.ContentType, key jose.JSONWebKey) (jws string, err error) {
	id, err := event.KeyID(key.Public().Key)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Version returns the version that Sign would return, without signing.
func (o Policy) Version() (string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("cannot encode policy: %w", err)
	}
	return version(text), nil
}

// Verify reads the policy of a kiosk and checks its signature by key (P-256). It
// also returns the version. The caller checks whether the policy is still valid.
func Verify(jws, kioskID string, key crypto.PublicKey) (o Policy, ver string, err error) {
	text, err := verify(jws, signedType, key)
	if err == nil {
		o, err = read(text, kioskID)
	}
	if err != nil {
		return Policy{}, "", fmt.Errorf("cannot read policy: %w", err)
	}
	return o, version(text), nil
}

// Errors that Verify returns.
var (
	ErrSignature = errors.New("it is not signed by the hub")
	ErrMalformed = errors.New("it is malformed")
	ErrForeign   = errors.New("it is for another kiosk")
)

func verify(jws, typ string, key crypto.PublicKey) ([]byte, error) {
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxSize)
	}
	id, err := event.KeyID(key)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(jws), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a JWS with ES256", ErrMalformed)
	}
	// The policy is signed with another key, or the key signed a text of another type.
	head := signed.Signatures[0].Protected
	if head.KeyID != id || head.ExtraHeaders[jose.HeaderType] != typ {
		return nil, ErrSignature
	}
	text, err := signed.Verify(key)
	if err != nil {
		return nil, ErrSignature
	}
	return text, nil
}

func read(text []byte, kioskID string) (o Policy, err error) {
	// Unknown members are ignored, because a newer hub may add some.
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case o.Kiosk != kioskID:
		return o, ErrForeign
	case o.IssuedAt.IsZero() || !o.ValidUntil.After(o.IssuedAt):
		return o, fmt.Errorf("%w: issued_at is zero, or valid_until is not after it", ErrMalformed)
	case o.AskEvery <= 0:
		return o, fmt.Errorf("%w: ask_every is missing or not positive", ErrMalformed)
	}
	if err := o.Offline.Check(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := o.Holders.check(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := CheckServices(o.Services); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := o.Update.check(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := checkDeny(o.Deny); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := event.KeyID(o.Seal.Key); err != nil {
		return o, fmt.Errorf("%w: the sealing key is not a public P-256 key", ErrMalformed)
	}
	for _, c := range o.CRLs {
		if b, err := hex.DecodeString(c.Digest); err != nil || len(b) != sha256.Size || c.Digest != strings.ToLower(c.Digest) {
			return o, fmt.Errorf("%w: the digest of a CRL is not 64 lower-case hexadecimal digits", ErrMalformed)
		}
		if c.Size <= 0 || c.Size > MaxCRLSet {
			return o, fmt.Errorf("%w: a CRL of %d bytes", ErrMalformed, c.Size)
		}
	}
	return o, nil
}

// MaxCRLSet is the maximum size of a CRL set that a kiosk accepts, in bytes. It is enough
// for 4 million certificates.
const MaxCRLSet = 32 << 20
