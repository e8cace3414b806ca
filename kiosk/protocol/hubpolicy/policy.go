// Package orders is what a hub tells each of its kiosks, in one signed piece: whose
// cards count, what was revoked, and what the kiosk may decide alone. A hub makes
// Policy and signs them; on the kiosk a Keeper fetches them, verifies them, and
// keeps the newest for the time when no hub answers.
//
// They are a JWS in compact serialisation (RFC 7515), ES256, of type
// "smartkiosk-orders+jws". The key is one that the kiosk has had from its hub's
// operator. CRLs are too large to be in it: it names each by its digest. What a
// kiosk gets then is not the CA's CRL but its set of serial numbers
// (trust.CRL.WriteTo): a fifth of the size, the whole of what it needs, and worth
// no less, because who signs the orders chooses the CAs as well.
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

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// MediaType is that of signed orders (RFC 7515 §9.2.1).
const MediaType = "application/jose"

// MaxSize is the longest that signed orders may be, in bytes.
const MaxSize = 1 << 20

const signedType = "smartkiosk-orders+jws"

// Policy are what a hub tells a kiosk.
type Policy struct {
	Kiosk      string    `json:"kiosk"`       // whom they are for
	IssuedAt   time.Time `json:"issued_at"`   // of two orders the later count
	ValidUntil time.Time `json:"valid_until"` // when nothing may be decided by them any more

	Offline   OfflineRules     `json:"offline"`
	Domains   []trust.Document `json:"domains"`
	CRLs      []CRL            `json:"crls"`
	HolderKey []byte           `json:"holder_key"` // see Pseudonym
	Seal      sealkey.Key      `json:"seal"`       // what events are sealed to, public
	// AskEvery is how often the kiosk is to look for newer ones.
	AskEvery Duration `json:"ask_every"`
}

// CRL is a CRL set that goes with the orders.
type CRL struct {
	Domain string `json:"domain"`
	Digest string `json:"digest"` // SHA-256 of the set, hexadecimal
	Size   int64  `json:"size"`   // bytes
}

// Version names a piece of signed orders by what was signed. It is the
// entity tag, too.
func version(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Sign signs orders with a private P-256 key, and gives their version.
func Sign(o Policy, key jose.JSONWebKey) (jws, ver string, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return "", "", fmt.Errorf("cannot sign orders: %w", err)
	}
	id, err := event.KeyID(key.Public().Key)
	if err != nil {
		return "", "", fmt.Errorf("cannot sign orders: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(signedType))
	if err != nil {
		return "", "", fmt.Errorf("cannot sign orders: %w", err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", "", fmt.Errorf("cannot sign orders: %w", err)
	}
	if jws, err = signed.CompactSerialize(); err != nil {
		return "", "", fmt.Errorf("cannot sign orders: %w", err)
	}
	return jws, version(text), nil
}

// Version gives the version that Sign would give, without signing.
func (o Policy) Version() (string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("cannot encode orders: %w", err)
	}
	return version(text), nil
}

// Verify reads orders for a kiosk that key (P-256) has signed, and gives their
// version. Whether they are still valid it leaves to the reader.
func Verify(jws, kiosk string, key crypto.PublicKey) (o Policy, ver string, err error) {
	text, err := verify(jws, key)
	if err == nil {
		o, err = read(text, kiosk)
	}
	if err != nil {
		return Policy{}, "", fmt.Errorf("cannot take orders: %w", err)
	}
	return o, version(text), nil
}

// Why orders are not taken.
var (
	ErrSignature = errors.New("they are not signed by the hub")
	ErrMalformed = errors.New("they are malformed")
	ErrForeign   = errors.New("they are for another kiosk")
)

func verify(jws string, key crypto.PublicKey) ([]byte, error) {
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("%w: they have more than %d bytes", ErrMalformed, MaxSize)
	}
	id, err := event.KeyID(key)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(jws), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return nil, fmt.Errorf("%w: they are no JWS with ES256", ErrMalformed)
	}
	// Another key's, or a signature of the same key over something else.
	head := signed.Signatures[0].Protected
	if head.KeyID != id || head.ExtraHeaders[jose.HeaderType] != signedType {
		return nil, ErrSignature
	}
	text, err := signed.Verify(key)
	if err != nil {
		return nil, ErrSignature
	}
	return text, nil
}

func read(text []byte, kiosk string) (o Policy, err error) {
	// A newer hub may say more than is known here.
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case o.Kiosk != kiosk:
		return o, ErrForeign
	case o.IssuedAt.IsZero() || !o.ValidUntil.After(o.IssuedAt):
		return o, fmt.Errorf("%w: their times are none", ErrMalformed)
	case o.AskEvery <= 0:
		return o, fmt.Errorf("%w: ask_every is none", ErrMalformed)
	}
	if err := o.Offline.Check(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := event.KeyID(o.Seal.Key); err != nil {
		return o, fmt.Errorf("%w: the sealing key is no public P-256 key", ErrMalformed)
	}
	for _, c := range o.CRLs {
		if b, err := hex.DecodeString(c.Digest); err != nil || len(b) != sha256.Size || c.Digest != strings.ToLower(c.Digest) {
			return o, fmt.Errorf("%w: the digest of a CRL is none", ErrMalformed)
		}
		if c.Size <= 0 || c.Size > MaxCRLSet {
			return o, fmt.Errorf("%w: a CRL of %d bytes", ErrMalformed, c.Size)
		}
	}
	return o, nil
}

// MaxCRLSet is the largest CRL set that a kiosk takes, in bytes: 4 million
// certificates.
const MaxCRLSet = 32 << 20
