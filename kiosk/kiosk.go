// Package kiosk defines the visit of one person with one card, from insertion to
// outcome. Visit is a pure state machine that holds every rule about what the
// person sees, what is recorded and what is wiped.
//
// The package does no I/O. It imports neither device nor store.
package kiosk

import "time"

// Holder is the person whom a card names.
type Holder struct {
	ID     string `json:"id"`               // the normalised subject serialNumber, e.g. UN:NO-9578-4050-100001
	Name   string `json:"name"`             // the subject's common name
	Domain string `json:"domain,omitempty"` // the trust domain whose rules the certificate met
}

// Outcome says how a visit ended.
type Outcome string

const (
	Granted   Outcome = "granted"
	Denied    Outcome = "denied"
	Cancelled Outcome = "cancelled" // the person gave up by a key or took the card out
	TimedOut  Outcome = "timed-out"
	Failed    Outcome = "failed" // a card, a part or the hub did not work

	Completed Outcome = "completed" // of a service after the login: it was done
)

// Verdict says whether a person is granted access. The hub decides; if Offline,
// the kiosk decided by itself.
type Verdict struct {
	Granted bool
	Reason  Reason // why the person is denied; "" when Granted
	Holder  Holder
	Offline bool
	Basis   Basis // of an Offline verdict

	// Documents authorises the kiosk to ask the hub for the holder's documents during the
	// visit; "" if none waits.
	Documents string
}

// Basis is what the kiosk based its own verdict on. The hub reviews the verdict
// with it.
type Basis struct {
	Rules string    // version of the policy; "" for the kiosk's own configuration
	Time  time.Time // at which the certificate was checked; zero if it was not
	CRL   string    // number of the CRL that was used; "" if no CRL was used, or it has no number
}

// Reason says why a person was denied, or why a visit failed. It is a stable code
// for machines; the texts for people are in the screen catalogue.
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
	NonceForeign      Reason = "nonce-foreign" // issued to another kiosk
	Algorithm         Reason = "algorithm"
	WeakKey           Reason = "weak-key"
	Identifier        Reason = "identifier" // the subject's serialNumber has no accepted form
	Signature         Reason = "signature"
)

// Reasons of the validation of a document's signature, apart from those of its certificate.
const (
	SigningTime  Reason = "signing-time"  // the signature says a time that is far from the hub's
	OtherHolder  Reason = "other-holder"  // the certificate is not that of the visit's holder
	DocumentGone Reason = "document-gone" // the document was decided, withdrawn or has expired
)

// Reasons of the operator's own rules, for a person whose card is valid.
const (
	NotAllowed     Reason = "not-allowed"     // no rule grants this person access here
	OutsideHours   Reason = "outside-hours"   // a rule grants access, but not now
	RuleDenied     Reason = "rule-denied"     // a rule denies this person
	OperatorDenied Reason = "operator-denied" // the operator's own system denies this person
	OperatorSilent Reason = "operator-silent" // the operator's own system did not answer, and the rules require an answer
	NotAsked       Reason = "not-asked"       // the hub's time for the verdict ended before it answered
)

// Reasons of a login through a broker (kiosk/hub/broker).
const (
	LoginState     Reason = "login-state"     // the broker's answer does not belong to this login, or was used before
	LoginToken     Reason = "login-token"     // the broker's answer is not authentic, or is for another time or client
	LoginLevel     Reason = "login-level"     // the person logged in by another way than the kiosk asked for
	LoginSubject   Reason = "login-subject"   // the answer does not name one person, or contradicts itself
	LoginRefused   Reason = "login-refused"   // the broker refuses the hub, for example because of its set-up
	LoginCancelled Reason = "login-cancelled" // the person gave up at the broker or on the phone
	LoginExpired   Reason = "login-expired"   // the person did not finish in time
	LoginDigits    Reason = "login-digits"    // three times the wrong digits at the kiosk
	LoginSandbox   Reason = "login-sandbox"   // a login of the broker's sandbox, at a kiosk for production
	BrokerDown     Reason = "broker-down"     // the broker cannot be reached, is too slow, or reports a fault
	PageRefused    Reason = "page-refused"    // the broker's page went to an address that the kiosk does not allow
	BrowserLost    Reason = "browser-lost"    // the kiosk's browser ended, hung or lost its connection
	BrokerAnswer   Reason = "broker-answer"   // the broker's answer cannot be read
)

// Reasons that arise in the visit itself.
const (
	Blocked        Reason = "blocked"         // the card's PIN has no tries left
	PUKBlocked     Reason = "puk-blocked"     // the card's PUK has no tries left
	OfflineNever   Reason = "offline-never"   // no hub was reached, and the policy forbids offline grants
	OfflineExpired Reason = "offline-expired" // no hub was reached, and its policy has expired
	OfflineUnknown Reason = "offline-unknown" // no hub was reached, and it has not granted this holder lately
	OfflineLimit   Reason = "offline-limit"   // no hub was reached, and the limit of offline grants is used up
	ClockUntrusted Reason = "clock-untrusted" // no hub was reached, and the clock is known to be wrong
	HubRefused     Reason = "hub-refused"     // a hub was reached, but refused to serve this kiosk
	HubSilent      Reason = "hub-silent"      // a hub was reached, but did not answer in time
	ByHolder       Reason = "by-holder"       // the holder cancelled by key
	CardRemoved    Reason = "card-removed"
	LoginPage      Reason = "login-page" // a login page in the browser took over the card before the holder typed anything
	PINTimeout     Reason = "pin-timeout"
	VisitTimeout   Reason = "visit-timeout"
	CardMute       Reason = "card-mute" // no answer to reset
	CardUnknown    Reason = "card-unknown"
	CardUnreadable Reason = "card-unreadable"
	CardInactive   Reason = "card-inactive" // the holder must activate it first
	CardTimeout    Reason = "card-timeout"
	CardRetry      Reason = "card-retry" // the card refused to sign in this way and dropped the PIN; the next visit tries another way
	ReaderLost     Reason = "reader-lost"
	DisplayLost    Reason = "display-lost"  // the display failed
	KeypadLost     Reason = "keypad-lost"   // the keypad failed
	DoorLost       Reason = "door-lost"     // the door's strike failed
	OutboxFailed   Reason = "outbox-failed" // outcomes cannot be written to disk
	OutboxFull     Reason = "outbox-full"   // there is soon no room for further outcomes
	Stopped        Reason = "stopped"       // the program was stopped
	Internal       Reason = "internal"
	NoHub          Reason = "hub-unreachable" // no hub was reached for a login by phone
	CardInstead    Reason = "card-instead"    // the person put a card in during a login by phone

	// Of a document.
	NoSignKey        Reason = "no-sign-key"       // the card has no certificate for signatures that may be used here
	SignPINBlocked   Reason = "sign-pin-blocked"  // the PIN of signatures has no tries left
	DocumentUnshown  Reason = "document-unshown"  // the panel cannot show the whole of it
	SignatureRefused Reason = "signature-refused" // the hub does not accept the signature
)
