package hub

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// challengeRecord is what the hub stores about a nonce.
type challengeRecord struct {
	Kiosk     string    `json:"kiosk"`
	ExpiresAt time.Time `json:"expires_at"`
	Spent     bool      `json:"spent"`
	Visit     string    `json:"visit,omitempty"` // that spent it
}

func (h *Hub) challenge(w http.ResponseWriter, r *http.Request, c caller) error {
	// The body has no meaning, but it must not be endless.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(nil, r.Body, hubapi.MaxRequestBody)); err != nil {
		return apihttp.TooLarge("this request has no body")
	}
	out, err := h.newChallenge(r.Context(), c.Name)
	if err != nil {
		return err
	}
	return apihttp.WriteJSON(w, http.StatusCreated, out)
}

func (h *Hub) newChallenge(ctx context.Context, kioskID string) (hubapi.Challenge, error) {
	raw := make([]byte, hubapi.NonceBytes)
	if _, err := io.ReadFull(h.rand, raw); err != nil {
		return hubapi.Challenge{}, fmt.Errorf("cannot make a nonce: %w", err)
	}
	expires := h.now().Add(hubapi.ChallengeLife).UTC()
	value, err := json.Marshal(challengeRecord{Kiosk: kioskID, ExpiresAt: expires})
	if err != nil {
		return hubapi.Challenge{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, hubapi.VerdictWithin-answerMargin) // a person waits
	defer cancel()
	if _, err := h.challenges.Create(ctx, nonceKey(raw), value); err != nil {
		return hubapi.Challenge{}, storeError{err}
	}
	return hubapi.Challenge{
		Nonce: base64.StdEncoding.EncodeToString(raw), ExpiresAt: expires, VerdictWithin: hubapi.VerdictWithin.Seconds(),
	}, nil
}

// nonceKey returns the bucket's key of a nonce. Keys may not contain "+".
func nonceKey(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// spend uses up a nonce. However often and at however many hubs a kiosk tries, exactly
// one call returns ""; all others return the reason for the refusal. A kiosk cannot
// spend another kiosk's nonce.
func (h *Hub) spend(ctx context.Context, nonce, kioskID, visit string) (kiosk.Reason, error) {
	// The comparison with the encoded form is needed because the decoder skips line breaks.
	raw, err := base64.StdEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != hubapi.NonceBytes || base64.StdEncoding.EncodeToString(raw) != nonce {
		return kiosk.NonceUnknown, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, err := h.challenges.Get(ctx, nonceKey(raw))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return kiosk.NonceUnknown, nil
	}
	if err != nil {
		return "", storeError{err}
	}
	var record challengeRecord
	if err := json.Unmarshal(entry.Value(), &record); err != nil {
		return "", fmt.Errorf("cannot read a challenge: %w", err)
	}
	switch {
	case record.Kiosk != kioskID:
		return kiosk.NonceForeign, nil
	case record.Spent:
		return kiosk.NonceUsed, nil
	case !h.now().Before(record.ExpiresAt):
		return kiosk.NonceExpired, nil
	}
	record.Spent, record.Visit = true, visit
	value, err := json.Marshal(record)
	if err != nil {
		return "", err
	}
	// The record stays, because after a deletion a used nonce would look like one
	// that the hub never made.
	_, err = h.challenges.Update(ctx, entry.Key(), value, entry.Revision())
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return kiosk.NonceUsed, nil
	}
	if err != nil {
		return "", storeError{err}
	}
	return "", nil
}
