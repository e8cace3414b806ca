package hubapi

import (
	"encoding/json"
	"time"

	"smartkiosk/kiosk"
)

// Challenge is the answer to POST /v1/challenges: what a card is to sign.
type Challenge struct {
	Nonce     string    `json:"nonce"`      // NonceBytes random bytes as base64, hashed as this text (Web eID §3)
	ExpiresAt time.Time `json:"expires_at"` // by the hub's clock, at most ChallengeLife away

	// VerdictWithin is the time in seconds in which the hub answers an authentication
	// that it has received, whatever happens behind it. The kiosk waits longer than this.
	VerdictWithin float64 `json:"verdict_within"`
}

// AuthenticationRequest is the body of POST /v1/authentications.
type AuthenticationRequest struct {
	Visit string          `json:"visit"` // the visit's id, to find both ends' log lines by
	Nonce string          `json:"nonce"` // of the Challenge that the card signed
	Token json.RawMessage `json:"token"` // the Web eID authentication token, a JSON object
}

// The verdicts of an Authentication.
const (
	VerdictGranted = "granted"
	VerdictDenied  = "denied"
)

// Authentication is the answer to POST /v1/authentications. A token that does
// not hold is an answer too, denied with its reason, and not a problem.
type Authentication struct {
	Verdict  string       `json:"verdict"`             // VerdictGranted or VerdictDenied
	Reason   kiosk.Reason `json:"reason,omitempty"`    // why denied
	Holder   kiosk.Holder `json:"holder,omitzero"`     // whom the card proved, let in or not
	ValidFor int          `json:"valid_for,omitempty"` // seconds for which a granted verdict may be acted on
}

// Acknowledgement is the answer to POST /v1/events.
type Acknowledgement struct {
	Acknowledged uint64 `json:"acknowledged"` // this kiosk's events up to this sequence are durable
}

// FeedAcknowledgement is the body of POST /v1/feed/{consumer}/ack.
type FeedAcknowledgement struct {
	Cursor string `json:"cursor"` // the CursorHeader of a feed's answer
}

// Known is the answer to GET /v1/known.
type Known struct {
	Known map[string]int64 `json:"known"` // a holder's pseudonym (hexadecimal) and the day since 1970 (UTC) on which the hub let the holder in
}

// Health is the answer to GET /healthz of a hub that works.
type Health struct {
	Status string `json:"status"`          // "ok"
	Rules  string `json:"rules,omitempty"` // RulesCurrent or RulesStale
}

// What Health says of the operator's rules file. A stale one cannot be used,
// and the rules from before are in force.
const (
	RulesCurrent = "current"
	RulesStale   = "stale"
)
