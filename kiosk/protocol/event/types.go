package event

import (
	"encoding/json"
	"fmt"
	"reflect"

	"smartkiosk/kiosk"
)

// The types of events. A new version of this program may add optional members
// to the payload of a type. Any other change needs a new type (v2).
const (
	TypeVisit   = "smartkiosk.visit.v1"
	TypeShown   = "smartkiosk.shown.v1"
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
	TypeEpoch   = "smartkiosk.epoch.v1"
	TypeService = "smartkiosk.service.v1"
	TypeUpdate  = "smartkiosk.update.v1"

	TypeSignature = "smartkiosk.signature.v1"
)

// Type is one row of the table of events.
type Type struct {
	Name    string
	When    string // when the kiosk or the hub writes one
	Payload any    // an example of the payload; the tag doc explains a member, the tag personal marks personal data
	By      Author

	// Informational events may be left out when the outbox is nearly full.
	Informational bool
}

// Author says who writes a type of events.
type Author int

const (
	ByKiosk Author = iota
	ByHub
)

// Types is the table of events. Seal accepts only these, and EVENTS.md lists them.
var Types = []Type{
	{
		Name: TypeVisit,
		When: "a visit ended; the event is on disk before the panel shows the outcome",
		Payload: Visit{
			Visit: exampleVisit, Outcome: kiosk.Granted, Authenticated: true, Offline: true,
			Holder: &kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Testesen", Domain: "buypass"},
			Evidence: &Evidence{
				Token:  json.RawMessage(`{"unverifiedCertificate":"MIIF…","algorithm":"RS256","signature":"kNs0…","format":"web-eid:1.0"}`),
				Nonce:  "8GV2m7dVjYYbxeNVhYDNeKgCWe2mwUfyJm6QMwGJzZM=",
				Origin: "https://hub.example:8443",
			},
			Basis: &Basis{Rules: "2026-11-29T06:00:00Z", Time: exampleTime, CRL: "41"},
		},
	},
	{
		Name:    TypeShown,
		When:    "a person learned the outcome of a visit, or will not learn it, because the card or the reader is gone or the kiosk stopped; there is one for each smartkiosk.visit.v1 of a kiosk that knows this type, later in the feed, mostly within a second; if kioskd or its machine stopped in between, the next start writes it",
		Payload: Shown{Visit: exampleVisit, Result: kiosk.Shown, Screen: kiosk.ScreenGranted, Door: true, At: exampleTime},
	},
	{
		Name: TypeService,
		When: "a service after a login, or the unblocking of a PIN, ended; the event is on disk before the panel shows the outcome",
		Payload: Service{
			Visit: exampleVisit, Service: kiosk.ServiceChoice, Code: "delivery", Outcome: kiosk.Completed, Authenticated: true,
			Holder: &kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Testesen", Domain: "buypass"},
		},
	},
	{
		Name: TypeSignature,
		When: "the hub has accepted a holder's signature of a document, or that the holder refused to sign it; because the hub writes it, it is not sealed, has no jws and belongs to no chain; the same one may come twice",
		Payload: Signature{
			Kiosk: "lobby-7", Visit: exampleVisit, Document: exampleDocument, Kind: kiosk.PaymentDocument, Hash: exampleHash,
			Decision: kiosk.DecisionSigned, Holder: &kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Testesen", Domain: "buypass"},
			Signature: []byte{0x30, 0x82, 0x0A}, // shortened
		},
		By: ByHub,
	},
	{
		Name:    TypeStarted,
		When:    "the kiosk began to serve, after the machine or the program started",
		Payload: Started{Version: "1.4.0"},

		Informational: true,
	},
	{
		Name:    TypeEpoch,
		When:    "the kiosk began a new epoch, in which sequence numbers begin with 1; it is the first event of the epoch",
		Payload: Epoch{Why: EpochDamaged, AfterEpoch: "6b1f0a93c2d84e57", AfterSequence: 1201, LostEpoch: "6b1f0a93c2d84e57", LostFrom: 1202, LostThrough: 1203},
	},
	{
		Name:    TypeLost,
		When:    "an older version of the kiosk could not read the event of this sequence number any more; this event takes its place, but the hub keeps the original if it has it; the next event still links to the lost one; today's kiosks begin a new epoch instead",
		Payload: Lost{From: 17, Through: 19},
	},
	{
		Name:    TypeClock,
		When:    "the kiosk's clock was set, by more than it drifts by itself",
		Payload: Clock{StepMS: -3600000},

		Informational: true,
	},
	{
		Name: TypeReview,
		When: "the hub has reviewed a visit that the kiosk decided offline; because the hub writes it, it is not sealed, has no jws and belongs to no chain",
		Payload: Review{
			Kiosk: "lobby-7", Event: exampleID, Epoch: exampleEpoch, Sequence: 42, Visit: exampleVisit,
			Outcome: kiosk.Granted, Verdict: kiosk.Denied, Reason: kiosk.Revoked,
		},
		By: ByHub,
	},
	{
		Name:    TypeParked,
		When:    "the hub refused the event of this sequence number, but would accept the events after it; the kiosk keeps the refused event as a dead letter, and this event takes its place",
		Payload: Parked{Problem: "an event is not valid: time is missing", Link: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"},
	},
	{
		Name:    TypeOutbox,
		When:    "the level of the kiosk's outbox changed",
		Payload: Outbox{Level: "low", Pending: 48210, Thinned: 3},
	},
	{
		Name:    TypeKept,
		When:    "an older version of the hub received reports of lost events (smartkiosk.lost.v1) that it already had; they stay in the feed, and the kiosk's next event may link to its report instead of to the last of them; because the hub writes it, it is not sealed, has no jws and belongs to no chain",
		Payload: Kept{Kiosk: "lobby-7", Sequence: 19, From: 17, Through: 19, Lost: exampleJWS},
		By:      ByHub,
	},
	{
		Name:    TypePart,
		When:    "a part of the kiosk's panel failed or works again, or keys of its keypad got stuck or came free",
		Payload: Part{Part: "display.pcf8574", State: "lost", Problem: "cannot write to I²C address 0x27: remote I/O error"},

		Informational: true,
	},
	{
		Name:    TypeAlarm,
		When:    "a hub found that a kiosk let somebody in whom the hub would not, or that a kiosk did what no honest kiosk does, or that something is wrong with the hub itself; the hub writes it, so it is not sealed, has no jws and is in no chain; the same alarm may come twice",
		Payload: Alarm{Kiosk: "lobby-7", Kind: AlarmTwin, Detail: "two machines use this identity, at 10.1.0.7 and 10.1.0.9"},
		By:      ByHub,
	},
	{
		Name: TypeUpdate,
		When: "the kiosk refused an update of its system, or installed it, or found that it works, or went back to the system before it; the same event may come twice after a power cut",
		Payload: Update{
			Version: "1.5.0", From: "1.4.0", Bundle: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			State: UpdateFellBack, Reason: UpdateUnhealthy, Problem: "no card reader",
		},
	},
	{
		Name:    TypeTamper,
		When:    "the kiosk began to watch the switch of its housing, or the switch changed",
		Payload: Tamper{State: "opened"},
	},
}

// checkPayload checks that the table has the type, and that payload has its Go type.
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
	return fmt.Errorf("unknown event type %q", name)
}

// standsIn reports whether events of a type take the place of another event, so that their
// Prev may be unknown.
func standsIn(name string) bool { return name == TypeLost || name == TypeParked }

// Informational reports whether events of a type may be left out.
func Informational(name string) bool {
	for _, t := range Types {
		if t.Name == name {
			return t.Informational
		}
	}
	return false
}
