package event

import (
	"encoding/json"
	"time"

	"smartkiosk/kiosk"
)

// Visit is how one visit ended.
type Visit struct {
	Visit         string        `json:"visit" doc:"the visit's identifier, a UUID"`
	Outcome       kiosk.Outcome `json:"outcome" doc:"granted, denied, cancelled, timed-out or failed"`
	Reason        kiosk.Reason  `json:"reason,omitempty" doc:"why not granted, a stable code"`
	Authenticated bool          `json:"authenticated" doc:"the PIN was right and the hub or the offline policy gave a verdict on the card's signature, or a broker for production has proven who the person is; if false, the holder is only what a certificate or a sandbox claims"`
	Offline       bool          `json:"offline" doc:"the kiosk decided by its offline policy"`
	Method        kiosk.Method  `json:"method,omitempty" doc:"phone: the person logged in on a phone, through a broker, without a card; page: on a broker's hosted page, in the kiosk's own browser, with or without the card; absent for a card"`
	Sandbox       bool          `json:"sandbox,omitempty" doc:"the login is a test in a broker's sandbox, in which anybody can log in as anybody: it proves nothing, and opens no door even if the outcome is granted; otherwise absent"`
	Holder        *kiosk.Holder `json:"holder,omitempty" doc:"the person whom the certificate or the broker names: id (normalised serialNumber), name, domain (trust domain)" personal:"yes"`
	Evidence      *Evidence     `json:"evidence,omitempty" doc:"what the card signed: token (Web eID authentication token), nonce and origin; enough to validate the visit again" personal:"yes"`
	Basis         *Basis        `json:"basis,omitempty" doc:"what an offline decision rests on: rules (version of the hub's signed policy, absent for the kiosk's own rules), time (the time for which the certificate was validated), crl (number of the CRL that was used)"`
}

// Service is how one service at the kiosk ended.
type Service struct {
	Visit         string        `json:"visit" doc:"identifier of the visit to which it belongs"`
	Service       kiosk.Service `json:"service" doc:"choice, change-pin, unblock-pin or document"`
	Code          string        `json:"code,omitempty" doc:"of a choice: the code of what the holder chose, from the hub's rules"`
	Outcome       kiosk.Outcome `json:"outcome" doc:"completed, cancelled, timed-out or failed"`
	Reason        kiosk.Reason  `json:"reason,omitempty" doc:"why not completed, a stable code"`
	Authenticated bool          `json:"authenticated" doc:"the visit's login was granted; if false, the holder is only what a certificate claims"`
	Holder        *kiosk.Holder `json:"holder,omitempty" doc:"as in smartkiosk.visit.v1" personal:"yes"`
	Document      *Document     `json:"document,omitempty" doc:"of the service document: its identifier (id), kind, fingerprint (sha256) and what the holder decided (decision: signed or refused, absent if nothing); unless the outcome is completed, the kiosk does not know whether the hub has received the decision: smartkiosk.signature.v1 says it"`
}

// Document is a document in an event of a kiosk.
type Document struct {
	ID       string             `json:"id"`
	Kind     kiosk.DocumentKind `json:"kind"`
	Hash     string             `json:"sha256"`
	Decision kiosk.Decision     `json:"decision,omitempty"`
}

// Signature is what a holder decided about a document.
type Signature struct {
	Kiosk     string             `json:"kiosk" doc:"where the holder decided"`
	Visit     string             `json:"visit" doc:"identifier of the visit"`
	Document  string             `json:"document" doc:"the document's identifier, from kioskhub document add"`
	Kind      kiosk.DocumentKind `json:"documentkind" doc:"text, pdf, payment or order"`
	Hash      string             `json:"sha256" doc:"fingerprint of the document's bytes"`
	Decision  kiosk.Decision     `json:"decision" doc:"signed or refused"`
	Holder    *kiosk.Holder      `json:"holder" doc:"as in smartkiosk.visit.v1; of a signature the holder whom its certificate names too" personal:"yes"`
	Signature []byte             `json:"signature,omitempty" doc:"CAdES, detached (DER, base64); of a PDF the one in the signed PDF; the hub has verified it" personal:"yes"`
}

// Evidence is what the card signed (Web eID authentication token format 1).
type Evidence struct {
	Token  json.RawMessage `json:"token"`
	Nonce  string          `json:"nonce"` // base64
	Origin string          `json:"origin"`
}

// Basis is what an offline verdict rests on.
type Basis struct {
	Rules string    `json:"rules,omitempty"`
	Time  time.Time `json:"time,omitzero"`
	CRL   string    `json:"crl,omitempty"`
}

// Shown is what a person saw of the outcome of a visit.
type Shown struct {
	Visit  string         `json:"visit" doc:"the visit's identifier, as in smartkiosk.visit.v1"`
	Result kiosk.Result   `json:"result" doc:"shown: the kiosk told the person the outcome; not-shown: it told nothing and the door stayed shut, whatever the outcome; unknown: the machine stopped at that moment, so the kiosk cannot know which of the two"`
	Screen kiosk.ScreenID `json:"screen,omitempty" doc:"the screen with the outcome: granted, denied, cancelled, timed-out or failed; absent if none was shown"`
	Door   bool           `json:"door" doc:"the kiosk opened the door; true for each granted outcome that was shown, unless the door's strike had failed or the login was one of a sandbox; a kiosk without a strike has only the screen"`
	At     time.Time      `json:"shownat,omitzero" doc:"when the kiosk showed the screen and opened the door, by its clock: RFC 3339, UTC; absent unless result is shown"`
	Reason kiosk.Reason   `json:"reason,omitempty" doc:"why the outcome was not shown, the screen is absent or the door stayed shut: card-removed, login-page, card-instead, reader-lost, stopped, outbox-failed, display-lost, door-lost, or login-sandbox for a test, which opens no door"`
}

// Started reports that the kiosk began to serve.
type Started struct {
	Version string `json:"version" doc:"version of kioskd"`
}

// Epoch announces a new epoch: a new life of the kiosk's outbox. See the package reconcile.
type Epoch struct {
	Why           string `json:"why" doc:"new: the outbox was empty, because the kiosk is new or its disk was replaced; damaged: the disk lost events; conflict: the hub has other events with the same epoch and sequence numbers, because the kiosk's disk was restored from a copy or a second machine has the kiosk's identity; gap: the hub lacks events that the kiosk has deleted or lost"`
	AfterEpoch    string `json:"afterepoch,omitempty" doc:"epoch of the kiosk's previous event; absent if that event does not exist or has no epoch"`
	AfterSequence uint64 `json:"aftersequence,omitempty" doc:"sequence of the kiosk's previous event; absent if that event does not exist"`
	LostEpoch     string `json:"lostepoch,omitempty" doc:"epoch of the lost events; absent if they have no epoch"`
	LostFrom      uint64 `json:"lostfrom,omitempty" doc:"the first sequence number of events that are lost, if the feed does not have them; absent if no loss is known"`
	LostThrough   uint64 `json:"lostthrough,omitempty" doc:"the last one"`
	Vouches       string `json:"vouches,omitempty" doc:"the SHA-256 of the JWS, in base64url, of the event after the lost ones, whose previous event the hub does not have"`
}

// Values of Epoch.Why.
const (
	EpochNew      = "new"
	EpochDamaged  = "damaged"
	EpochConflict = "conflict"
	EpochGap      = "gap"
)

// Lost takes the place of an event that the kiosk cannot read any more.
type Lost struct {
	From    uint64 `json:"from,omitempty" doc:"the first sequence number of the range of events that were lost together"`
	Through uint64 `json:"through,omitempty" doc:"the last sequence number of the range; absent if the kiosk does not know how many there were"`
}

// Parked takes the place of an event that the hub refused.
type Parked struct {
	Problem string `json:"problem" doc:"the hub's reason"`
	Link    string `json:"link" doc:"the SHA-256 of the refused event's JWS in base64url; the next event links to it"`
}

// Outbox reports how full a kiosk's outbox is.
type Outbox struct {
	Level   string `json:"level" doc:"roomy; low: informational events are left out; full: the kiosk is out of service"`
	Pending uint64 `json:"pending" doc:"number of events that the hub had not acknowledged"`
	Thinned uint64 `json:"thinned,omitempty" doc:"number of informational events left out since the previous event of this type"`
}

// Part reports the state of a part of the panel. It does not name the key that is
// stuck, because the key may belong to somebody's PIN.
type Part struct {
	Part    string `json:"part" doc:"the part's section in the kiosk's board file, for example display.pcf8574"`
	State   string `json:"state" doc:"found, lost, stuck or freed"`
	Problem string `json:"problem,omitempty" doc:"an explanation for a technician"`
}

// Tamper reports the state of the housing's switch.
type Tamper struct {
	State string `json:"state" doc:"unopened; opened (or the wire of the switch is cut); unknown (the line cannot be read)"`
}

// Update reports what became of an update of the kiosk's system.
type Update struct {
	Version string       `json:"version" doc:"version of the update"`
	From    string       `json:"from,omitempty" doc:"version of the system that the kiosk had before"`
	Bundle  string       `json:"bundle" doc:"SHA-256 of the bundle in hexadecimal, as the hub offered it"`
	State   UpdateState  `json:"state" doc:"refused: the kiosk does not install it; installed: it is in the other slot, and the kiosk restarts into it; good: the kiosk runs it and works; fell-back: the kiosk runs the system that it had before"`
	Reason  UpdateReason `json:"reason,omitempty" doc:"why it was refused or given up, a stable code: altered, signature, older, board, too-large, install, boot or unhealthy"`
	Problem string       `json:"problem,omitempty" doc:"an explanation for a technician"`
}

// UpdateState says what became of an update.
type UpdateState string

// Values of Update.State.
const (
	UpdateRefused   UpdateState = "refused"
	UpdateInstalled UpdateState = "installed"
	UpdateGood      UpdateState = "good"
	UpdateFellBack  UpdateState = "fell-back"
)

// UpdateReason says why an update was not kept.
type UpdateReason string

// Values of Update.Reason.
const (
	UpdateAltered   UpdateReason = "altered"   // the bundle is not the one that the hub offered
	UpdateSignature UpdateReason = "signature" // RAUC does not trust its signature
	UpdateOlder     UpdateReason = "older"     // the kiosk has a newer version
	UpdateBoard     UpdateReason = "board"     // it is for another kind of machine
	UpdateTooLarge  UpdateReason = "too-large" // the disk has no room for it
	UpdateInstall   UpdateReason = "install"   // RAUC could not install it
	UpdateBoot      UpdateReason = "boot"      // the boot loader went back to the former system
	UpdateUnhealthy UpdateReason = "unhealthy" // a part of the kiosk did not work with it
)

// Clock reports a step of the kiosk's clock. The event's own time is after the step.
type Clock struct {
	StepMS int64 `json:"stepms" doc:"size of the step in milliseconds, negative if the clock was set back"`
}

// Kept reports events that the hub has and their kiosk has lost.
type Kept struct {
	Kiosk    string `json:"kiosk" doc:"the kiosk that lost them"`
	Sequence uint64 `json:"eventsequence" doc:"sequence number of the last lost event that the hub has"`
	From     uint64 `json:"from,omitempty" doc:"the first sequence number of the range that the kiosk reported as lost"`
	Through  uint64 `json:"through,omitempty" doc:"the last sequence number of that range; absent if the kiosk does not know it"`
	Lost     string `json:"lost" doc:"the kiosk's signed report (a JWS), an event of the type smartkiosk.lost.v1 with the same sequence number"`
}

// Review is the hub's own verdict on a visit that a kiosk decided offline.
type Review struct {
	Kiosk    string        `json:"kiosk" doc:"the kiosk that decided"`
	Event    string        `json:"event" doc:"id of the visit's event"`
	Epoch    string        `json:"eventepoch,omitempty" doc:"epoch of that event"`
	Sequence uint64        `json:"eventsequence" doc:"sequence of that event"`
	Visit    string        `json:"visit" doc:"the visit's identifier"`
	Outcome  kiosk.Outcome `json:"outcome" doc:"what the kiosk told the person: granted or denied"`
	Agrees   bool          `json:"agrees" doc:"the hub would have given the same verdict"`
	Verdict  kiosk.Outcome `json:"verdict" doc:"the hub's verdict: granted or denied"`
	Problem  string        `json:"problem,omitempty" doc:"what in the evidence no honest kiosk writes: no-evidence, nonce-used, nonce-foreign, time or reason; the hub then never agrees"`
	Reason   kiosk.Reason  `json:"reason,omitempty" doc:"why the hub denies, a stable code; the hub checks revocation by what it knows now, and everything else for the time of the visit"`
}

// The kinds of an Alarm.
const (
	AlarmReview   = "review"   // the hub's review disagrees with a kiosk that let somebody in
	AlarmTwin     = "twin"     // two machines use the identity of the kiosk at the same time
	AlarmEvidence = "evidence" // the evidence of an offline visit is missing or was not made by an honest kiosk
	AlarmConflict = "conflict" // a kiosk has two different events with the same epoch and sequence number

	// Alarms about the hub itself.
	AlarmCertificate = "certificate" // the certificate with which the hub serves phones, or proves itself to a broker, ends soon
	AlarmDisk        = "disk"        // the hub's disk fills up, or the hub could not write for a while
	AlarmRolledBack  = "rolled-back" // a reader's place is not in the stream of events any more
	AlarmUpdate      = "update"      // the roll-out of an update was stopped
)

// Alarm is what a hub reports about a kiosk, or about itself, that needs the operator's
// attention.
type Alarm struct {
	Kiosk    string `json:"kiosk,omitempty" doc:"the kiosk that the alarm is about; absent if it is about the hub itself"`
	Kind     string `json:"kind" doc:"review: the hub would not have let the person in; evidence: the kiosk's evidence is not that of an honest kiosk; conflict: the kiosk has sent two different events with the same epoch and sequence number, because its disk was restored from a copy or lost its last writes, or because a second machine has its identity; twin: two machines use the kiosk's identity at the same time; disk: the hub's disk fills up, or the hub could not write for a while; certificate: the certificate with which the hub serves phones, or proves itself to a broker, ends within 60 days; rolled-back: the stream of events was restored or damaged behind a reader's place; update: the roll-out of an update was stopped, because more kiosks failed than its limit allows"`
	Detail   string `json:"detail" doc:"what was found, for a person"`
	Event    string `json:"event,omitempty" doc:"id of the event that the alarm is about"`
	Epoch    string `json:"eventepoch,omitempty" doc:"epoch of that event"`
	Sequence uint64 `json:"eventsequence,omitempty" doc:"sequence of that event"`
	Visit    string `json:"visit,omitempty" doc:"identifier of the visit that the alarm is about"`
	Level    int    `json:"level,omitempty" doc:"of disk: the part of the hub's disk, in percent, whose use was reached; 100 means that the hub stores no more events"`
	Reader   string `json:"reader,omitempty" doc:"of rolled-back: the consumer, or hub.reviews for the hub's own reviews"`
}
