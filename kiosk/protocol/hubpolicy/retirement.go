package hubpolicy

import (
	"crypto"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const retirementType = "smartkiosk-retirement+jws"

// Retirement is a hub's receipt that the certificates of a kiosk have ended. It is a JWS that
// the hub signs with the key of its policies.
type Retirement struct {
	Kiosk        string    `json:"kiosk"`
	Time         time.Time `json:"time"`
	Certificates []string  `json:"certificates"` // SHA-256 of each certificate (DER), hexadecimal
}

// Sign signs a receipt with a private P-256 key.
func (r Retirement) Sign(key jose.JSONWebKey) (jws string, err error) {
	text, err := json.Marshal(r)
	if err == nil {
		jws, err = sign(text, retirementType, key)
	}
	if err != nil {
		return "", fmt.Errorf("cannot sign receipt: %w", err)
	}
	return jws, nil
}

// VerifyRetirement reads the receipt for a kiosk and checks its signature by key (P-256).
func VerifyRetirement(jws, kioskID string, key crypto.PublicKey) (r Retirement, err error) {
	text, err := verify(jws, retirementType, key)
	if err == nil {
		if json.Unmarshal(text, &r) != nil || r.Time.IsZero() {
			err = ErrMalformed
		} else if r.Kiosk != kioskID {
			err = ErrForeign
		}
	}
	if err != nil {
		return Retirement{}, fmt.Errorf("cannot read the hub's receipt: %w", err)
	}
	return r, nil
}
