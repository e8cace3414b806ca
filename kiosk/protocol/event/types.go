package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"smartkiosk/kiosk"
)

// The types of events. A type's payload may gain optional members; any other
// change is a new version.
const (
	TypeVisit   = "smartkiosk.visit.v1"
	TypeStarted = "smartkiosk.started.v1"
	TypeLost    = "smartkiosk.lost.v1"
	TypeClock   = "smartkiosk.clock.v1"
	TypeReview  = "smartkiosk.review.v1"
	TypeParked  = "smartkiosk.parked.v1"
	TypeOutbox  = "smartkiosk.outbox.v1"
	TypeKept    = "smartkiosk.kept.v1"
	TypePart    = "smartkiosk.part.v1"
	TypeTamper  = "smartkiosk.tamper.v1"
	TypeAlarm   = "smartkiosk.alarm.v1"
)

// Type is one row of the table of events.
type Type struct {
	Name    string
	When    string // what makes the kiosk, or the hub, write one
	Payload any    // the zero value of the payload; its members say what they mean in the tag doc, and whom they name in the tag personal
	By      Author // ByKiosk unless said

	// Informational events may be left out when the outbox nears its end.
	Informational bool
}

// Author is who writes a type of events.
type Author int

const (
	ByKiosk Author = iota
	ByHub
)

// Types is the table of events: what Seal takes and EVENTS.md lists.
var Types = []Type{
	{
		Name:    TypeVisit,
		When:    "a visit ended; on disk before its outcome is shown",
		Payload: Visit{},
	},
	{
		Name:    TypeStarted,
		When:    "the kiosk began to serve, after a start of the machine or of the program",
		Payload: Started{},

		Informational: true,
	},
	{
		Name:    TypeLost,
		When:    "the event of this sequence number was lost with a part of the kiosk's disk; it stands in its place, but for an event that a hub has already, which stays; the event after it still links to what was lost",
		Payload: Lost{},
	},
	{
		Name:    TypeClock,
		When:    "the kiosk's clock was set, by more than it runs wrong by itself",
		Payload: Clock{},

		Informational: true,
	},
	{
		Name:    TypeReview,
		When:    "a hub has judged a visit again that the kiosk decided alone; the hub writes it, so that it is not sealed, has no jws and is in no chain",
		Payload: Review{},
		By:      ByHub,
	},
	{
		Name:    TypeParked,
		When:    "the hub would not take the event of this sequence number, but those after it; the kiosk keeps the event aside, and this stands in its place",
		Payload: Parked{},
	},
	{
		Name:    TypeOutbox,
		When:    "the kiosk's outbox came nearer to its end, or further from it",
		Payload: Outbox{},
	},
	{
		Name:    TypeKept,
		When:    "a kiosk lost events that a hub had already; they stay in the feed as they are, and the kiosk's next event may link to that in which it says so, instead of to the last one of them; the hub writes it, so that it is not sealed, has no jws and is in no chain",
		Payload: Kept{},
		By:      ByHub,
	},
	{
		Name:    TypePart,
		When:    "a part of the kiosk's panel was lost or found, or keys of its keypad stuck or were freed",
		Payload: Part{},

		Informational: true,
	},
	{
		Name:    TypeAlarm,
		When:    "a hub found that a kiosk let somebody in whom the hub would not, or that a kiosk did what no honest kiosk does; the hub writes it, so it is not sealed, has no jws and is in no chain; the same alarm may come twice",
		Payload: Alarm{},
		By:      ByHub,
	},
	{
		Name:    TypeTamper,
		When:    "the kiosk began to watch the switch of its housing, or what that says changed",
		Payload: Tamper{},
	},
}

// Visit is how one visit ended.
type Visit struct {
	Visit         string        `json:"visit" doc:"the visit's identifier, a UUID"`
	Outcome       kiosk.Outcome `json:"outcome" doc:"granted, denied, cancelled, timed-out or failed"`
	Reason        kiosk.Reason  `json:"reason,omitempty" doc:"why not granted, a stable code"`
	Authenticated bool          `json:"authenticated" doc:"the PIN was right and a verdict was given on the card's signature; without it the holder is only what a certificate claims"`
	Offline       bool          `json:"offline" doc:"the kiosk decided alone, by its offline rules"`
	Holder        *kiosk.Holder `json:"holder,omitempty" doc:"whom the certificate names: id (normalised serialNumber), name, domain (trust domain)" personal:"yes"`
	Evidence      *Evidence     `json:"evidence,omitempty" doc:"what the card signed: token (Web eID authentication token), nonce, origin; enough to validate the visit again" personal:"yes"`
	Basis         *Basis        `json:"basis,omitempty" doc:"what the kiosk decided by when it decided alone: rules (version of the hub's signed rules, absent for the kiosk's own), time (for which the certificate was judged), crl (number of the CRL looked at)"`
}

// Evidence is what the card signed (Web eID authentication token format 1).
type Evidence struct {
	Token  json.RawMessage `json:"token"`
	Nonce  string          `json:"nonce"` // base64
	Origin string          `json:"origin"`
}

// Basis is what a verdict of the kiosk's own rests on.
type Basis struct {
	Rules string    `json:"rules,omitempty"`
	Time  time.Time `json:"time,omitzero"`
	CRL   string    `json:"crl,omitempty"`
}

// Started is the kiosk at the begin of its service.
type Started struct {
	Version string `json:"version" doc:"of kioskd"`
}

// Lost stands for an event that cannot be read any more.
type Lost struct {
	From    uint64 `json:"from,omitempty" doc:"the first sequence number of the row of events that were lost together"`
	Through uint64 `json:"through,omitempty" doc:"the last of them; absent when nobody knows how many there were from the first on"`
}

// Parked stands for an event that the hub would not take.
type Parked struct {
	Problem string `json:"problem" doc:"what the hub said"`
	Link    string `json:"link" doc:"the SHA-256 of the event's JWS in base64url, to which the event after it links"`
}

// Outbox is how near a kiosk's outbox is to its end.
type Outbox struct {
	Level   string `json:"level" doc:"roomy; low: informational events are left out; full: the kiosk is out of service"`
	Pending uint64 `json:"pending" doc:"events that the hub had not acknowledged"`
	Thinned uint64 `json:"thinned,omitempty" doc:"informational events left out since the last of these events"`
}

// Part is what became of a part of the panel. Which key is stuck is not told:
// it may be one of somebody's PIN.
type Part struct {
	Part    string `json:"part" doc:"its section in the kiosk's board file, as display.pcf8574"`
	State   string `json:"state" doc:"found, lost, stuck or freed"`
	Problem string `json:"problem,omitempty" doc:"what a technician is told of it"`
}

// Tamper is what the switch of the housing says.
type Tamper struct {
	State string `json:"state" doc:"unopened; opened, or its wire is cut; unknown, its line cannot be read"`
}

// Clock is a step of the kiosk's clock. The event's own time is after it.
type Clock struct {
	StepMS int64 `json:"stepms" doc:"milliseconds by which it was set, negative if back"`
}

// Kept is what a hub has and the kiosk whose it was has not.
type Kept struct {
	Kiosk    string `json:"kiosk" doc:"who lost them"`
	Sequence uint64 `json:"eventsequence" doc:"the last of the kiosk's events that hubs had by then, and that the kiosk has lost"`
	From     uint64 `json:"from,omitempty" doc:"as the kiosk says, the first sequence number of the row of events that it lost together"`
	Through  uint64 `json:"through,omitempty" doc:"as the kiosk says, the last of them; absent when it does not know"`
	Lost     string `json:"lost" doc:"the signed event (a JWS) of the kiosk in which it says so, of the type smartkiosk.lost.v1 and of the same sequence number"`
}

// Review is the hub's judgement of a verdict that a kiosk gave alone.
type Review struct {
	Kiosk    string        `json:"kiosk" doc:"whose verdict it was"`
	Event    string        `json:"event" doc:"id of the event of the visit"`
	Sequence uint64        `json:"eventsequence" doc:"sequence of that event"`
	Visit    string        `json:"visit" doc:"the visit's identifier"`
	Outcome  kiosk.Outcome `json:"outcome" doc:"what the person was told, granted or denied"`
	Agrees   bool          `json:"agrees" doc:"the hub would have said the same of the token and its holder"`
	Verdict  kiosk.Outcome `json:"verdict" doc:"the hub's: granted or denied"`
	Problem  string        `json:"problem,omitempty" doc:"what in the evidence no honest kiosk writes: no-evidence, nonce-used, nonce-foreign, time or reason; the hub then never agrees"`
	Reason   kiosk.Reason  `json:"reason,omitempty" doc:"why the hub denies, a stable code; of revocation by what is known now, of all else by the time of the visit"`
}

// The kinds of an Alarm.
const (
	AlarmReview   = "review"   // the hub's review disagrees with a kiosk that let somebody in
	AlarmEvidence = "evidence" // the evidence of an offline visit is missing or was not made by an honest kiosk
)

// Alarm is what a hub reports about a kiosk that needs the operator's attention.
type Alarm struct {
	Kiosk    string `json:"kiosk" doc:"the kiosk that the alarm is about"`
	Kind     string `json:"kind" doc:"review: the hub would not have let the person in; evidence: the kiosk's evidence is not that of an honest kiosk"`
	Detail   string `json:"detail" doc:"what was found, for a person"`
	Event    string `json:"event,omitempty" doc:"id of the event that the alarm is about"`
	Sequence uint64 `json:"eventsequence,omitempty" doc:"sequence of that event"`
	Visit    string `json:"visit,omitempty" doc:"identifier of the visit that the alarm is about"`
}

// checkPayload sees to it that a type is in the table and payload is its.
func checkPayload(name string, payload any) error {
	for _, t := range Types {
		if t.Name != name || t.By != ByKiosk {
			continue
		}
		if reflect.TypeOf(payload) != reflect.TypeOf(t.Payload) {
			return fmt.Errorf("payload of %s is a %T, not a %T", name, t.Payload, payload)
		}
		return nil
	}
	return fmt.Errorf("no event type %q", name)
}

// standsIn tells whether events of a type stand in the place of another, the
// link before which may not be known.
func standsIn(name string) bool { return name == TypeLost || name == TypeParked }

// Informational tells whether events of a type may be left out.
func Informational(name string) bool {
	for _, t := range Types {
		if t.Name == name {
			return t.Informational
		}
	}
	return false
}
