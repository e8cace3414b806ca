package hubapi

import (
	"encoding/json"
	"time"

	"smartkiosk/kiosk"
)

// Challenge is the answer to POST /v1/challenges: the nonce that a card signs.
type Challenge struct {
	Nonce     string    `json:"nonce"`      // NonceBytes random bytes in base64; the card hashes this text (Web eID §3)
	ExpiresAt time.Time `json:"expires_at"` // by the hub's clock, at most ChallengeLife ahead

	// VerdictWithin is the time in seconds within which the hub answers an authentication
	// that it has received, in every case. The kiosk waits longer than this.
	VerdictWithin float64 `json:"verdict_within"`
}

// AuthenticationRequest is the body of POST /v1/authentications.
type AuthenticationRequest struct {
	Visit string          `json:"visit"` // the ID of the visit, which is in the logs of the kiosk and the hub
	Nonce string          `json:"nonce"` // of the Challenge that the card signed
	Token json.RawMessage `json:"token"` // the Web eID authentication token, a JSON object
}

// Values of Authentication.Verdict.
const (
	VerdictGranted = "granted"
	VerdictDenied  = "denied"
)

// Authentication is the answer to POST /v1/authentications. A token that does not verify
// also gets this answer, denied with a reason, and not a problem.
type Authentication struct {
	Verdict  string       `json:"verdict"`             // VerdictGranted or VerdictDenied
	Reason   kiosk.Reason `json:"reason,omitempty"`    // why denied
	Holder   kiosk.Holder `json:"holder,omitzero"`     // the holder whom the card proved, let in or not
	ValidFor int          `json:"valid_for,omitempty"` // seconds for which the kiosk may act on a granted verdict

	// Documents is a ticket with which the kiosk may ask for the holder's documents during
	// the visit. It is absent unless some wait.
	Documents string `json:"documents,omitempty"`
}

// LoginRequest is the body of POST /v1/logins and of POST /v1/page-logins.
type LoginRequest struct {
	Visit    string `json:"visit"`    // for the logs of the kiosk and the hub
	Language string `json:"language"` // of the phone's pages, BCP 47
	Purpose  string `json:"purpose"`  // PurposeEntry
}

// PurposeEntry is the purpose of a login that lets a person in.
const PurposeEntry = "entry"

// Login is the answer to every operation on a login by phone.
type Login struct {
	ID        string           `json:"id"`
	State     kiosk.PhoneState `json:"state"`
	Link      string           `json:"link"`       // for the phone, in upper case
	Sandbox   bool             `json:"sandbox"`    // the login proves nothing and must open no door
	ExpiresIn float64          `json:"expires_in"` // seconds that the state may last
	Wrong     int              `json:"wrong"`      // wrong entries of the digits
	Outcome   kiosk.Outcome    `json:"outcome,omitempty"`
	Reason    kiosk.Reason     `json:"reason,omitempty"`
	Holder    kiosk.Holder     `json:"holder,omitzero"`     // who logged in, let in or not
	ValidFor  int              `json:"valid_for,omitempty"` // seconds for which the kiosk may act on a granted login
	Address   string           `json:"address,omitempty"`   // of the broker's hosted page; only when such a login begins
	Callback  string           `json:"callback,omitempty"`  // where the page goes with the broker's answer, without a query
}

// LoginAnswer is the body of POST /v1/logins/{id}/answer.
type LoginAnswer struct {
	Query string `json:"query"` // of the callback, as the browser was sent there
}

// DigitsEntry is the body of POST /v1/logins/{id}/digits.
type DigitsEntry struct {
	Digits string `json:"digits"`
}

// Acknowledgement is the answer to POST /v1/events. All events of the batch are durable.
type Acknowledgement struct {
	Epoch        string `json:"epoch,omitempty"` // of the last event of the batch; of the kiosk's last event if the batch is empty
	Acknowledged uint64 `json:"acknowledged"`    // that event's sequence number; 0 if the hub has no event of the kiosk

	// Conflict says that the hub has different events with the same numbers in this epoch. The
	// kiosk must begin a new epoch.
	Conflict bool `json:"conflict,omitempty"`
	// Missing are those events that the kiosk announced as lost and that the hub does not have.
	// A kiosk that still has some of them sends them.
	Missing []LostEvents `json:"missing,omitempty"`
}

// LostEvents is a range of events that a kiosk announced as lost.
type LostEvents struct {
	Epoch   string `json:"epoch,omitempty"`
	From    uint64 `json:"from"`
	Through uint64 `json:"through"`
}

// Branch is a run of a kiosk's events that the hub has. Each event links to the one before it.
type Branch struct {
	Epoch string `json:"epoch,omitempty"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Link  []byte `json:"link,omitempty"` // of the last event; base64
}

// FeedAcknowledgement is the body of POST /v1/feed/{consumer}/ack.
type FeedAcknowledgement struct {
	Cursor string `json:"cursor"` // the CursorHeader of a feed's answer
}

// DoctorAnswer is the body of POST /v1/doctor.
type DoctorAnswer struct {
	Question string          `json:"question"` // of the policy
	Report   json.RawMessage `json:"report"`   // what "kioskctl doctor --json" prints
}

// Known is the answer to GET /v1/known.
type Known struct {
	Known map[string]int64 `json:"known"` // a holder's pseudonym (hexadecimal) and the day since 1970 (UTC) on which the hub let the holder in
}

// Health is the answer to GET /healthz of a working hub.
type Health struct {
	Status string `json:"status"`          // "ok"
	Rules  string `json:"rules,omitempty"` // RulesCurrent or RulesStale
	CRLs   string `json:"crls,omitempty"`  // CRLsCurrent or CRLsOverdue; "" if the hub fetches none
}

// Values of Health.CRLs. A CRL is overdue if the hub could not fetch it for two intervals of its
// schedule. The hub goes on with the one that it has, for as long as that is valid.
const (
	CRLsCurrent = "current"
	CRLsOverdue = "overdue"
)

// Values of Health.Rules. When the rules file is stale, it has an error, and the hub still
// uses the rules from before the change.
const (
	RulesCurrent = "current"
	RulesStale   = "stale"
)
