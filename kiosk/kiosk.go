// Package kiosk is what the kiosk is about: the visit of one person with one
// card, from insertion to outcome. Its heart is Visit, a pure state machine;
// its subpackages hold texts, tokens, trust, events and the hub.
//
// The package does no I/O and knows neither device nor store.
package kiosk

import "time"

// Holder is the person whom a card names.
type Holder struct {
	ID     string `json:"id"`               // the normalised subject serialNumber, e.g. UN:NO-9578-4050-100001
	Name   string `json:"name"`             // the subject's common name
	Domain string `json:"domain,omitempty"` // the trust domain whose rules the certificate met
}

// Outcome is how a visit ended.
type Outcome string

const (
	Granted   Outcome = "granted"
	Denied    Outcome = "denied"
	Cancelled Outcome = "cancelled" // the person gave up: a key, or the card taken out
	TimedOut  Outcome = "timed-out"
	Failed    Outcome = "failed" // a card or a part that did not do its work
)

// Verdict is the answer to "is this person let in?", the hub's or, Offline,
// the kiosk's own.
type Verdict struct {
	Granted bool
	Reason  Reason // why not, when not Granted
	Holder  Holder
	Offline bool
	Basis   Basis // of a verdict that is Offline
}

// Basis is what the kiosk's own verdict rests on, for whoever judges again.
type Basis struct {
	Rules string    // version of the rules; "" for the kiosk's own configuration
	Time  time.Time // for which the certificate was judged; zero if it was not
	CRL   string    // number of the CRL that was looked at; "" if none was, or it has none
}

// Reason says why a person was not let in, or why a visit failed. It is a
// stable code for machines; texts for people belong to the screen catalogue.
type Reason string

// Reasons of the validation of a token and its certificate
// (Web eID authentication token format §validation, RFC 5280 §6).
const (
	Parse             Reason = "parse"
	Format            Reason = "format"
	Purpose           Reason = "purpose" // no digitalSignature bit
	Policy            Reason = "policy"
	NotYetValid       Reason = "not-yet-valid"
	Expired           Reason = "expired"
	NotTrusted        Reason = "not-trusted" // no path to an anchor of any trust domain
	Revoked           Reason = "revoked"
	RevocationUnknown Reason = "revocation-unknown"
	NonceUnknown      Reason = "nonce-unknown"
	NonceExpired      Reason = "nonce-expired"
	NonceUsed         Reason = "nonce-used"
	NonceForeign      Reason = "nonce-foreign" // given to another kiosk
	Algorithm         Reason = "algorithm"
	WeakKey           Reason = "weak-key"
	Identifier        Reason = "identifier" // a subject serialNumber in no accepted form
	Signature         Reason = "signature"
)

// Reasons of the operator's own rules, for a person whose card is in order.
const (
	NotAllowed     Reason = "not-allowed"     // no rule lets this person in here
	OutsideHours   Reason = "outside-hours"   // a rule does, but not now
	RuleDenied     Reason = "rule-denied"     // a rule turns this person away
	OperatorDenied Reason = "operator-denied" // the operator's own system does
	OperatorSilent Reason = "operator-silent" // it gave no answer, and is not to be done without
	NotAsked       Reason = "not-asked"       // the hub's time for the verdict ended before it answered
)

// Reasons that arise in the visit itself.
const (
	Blocked        Reason = "blocked"         // the card's PIN has no tries left
	OfflineNever   Reason = "offline-never"   // no hub, and the rules forbid deciding alone
	OfflineExpired Reason = "offline-expired" // no hub, and the rules that it gave have run out
	OfflineUnknown Reason = "offline-unknown" // no hub, and it has not let this holder in lately
	OfflineLimit   Reason = "offline-limit"   // no hub, and as many were let in without as may be
	ClockUntrusted Reason = "clock-untrusted" // no hub, and the clock is behind a time already seen
	ByHolder       Reason = "by-holder"       // the cancel key
	CardRemoved    Reason = "card-removed"
	PINTimeout     Reason = "pin-timeout"
	VisitTimeout   Reason = "visit-timeout"
	CardMute       Reason = "card-mute" // no answer to reset
	CardUnknown    Reason = "card-unknown"
	CardUnreadable Reason = "card-unreadable"
	CardInactive   Reason = "card-inactive" // its holder must activate it first
	CardTimeout    Reason = "card-timeout"
	ReaderLost     Reason = "reader-lost"
	DisplayLost    Reason = "display-lost"  // nobody can read what the panel says
	KeypadLost     Reason = "keypad-lost"   // nobody can type
	DoorLost       Reason = "door-lost"     // nobody can be let in
	OutboxFailed   Reason = "outbox-failed" // what happens cannot be written down
	OutboxFull     Reason = "outbox-full"   // what happens could soon not be written down
	Stopped        Reason = "stopped"       // the program was ended
	Internal       Reason = "internal"
)
