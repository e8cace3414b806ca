package event

import (
	"encoding/json"
	"fmt"
	"reflect"

	"smartkiosk/kiosk"
)

// The types of events. A type's payload may gain optional members; any other
// change is a new version.
const (
	TypeVisit   = "smartkiosk.visit.v1"
	TypeStarted = "smartkiosk.started.v1"
	TypeLost    = "smartkiosk.lost.v1"
)

// Type is one row of the table of events.
type Type struct {
	Name    string
	When    string // what makes the kiosk write one
	Payload any    // the zero value of the payload; its members say what they mean in the tag doc, and whom they name in the tag personal
}

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
	},
	{
		Name:    TypeLost,
		When:    "the event of this sequence number was lost with a part of the kiosk's disk; it stands in its place, and the event after it still links to what was lost",
		Payload: Lost{},
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
}

// Evidence is what the card signed (Web eID authentication token format 1).
type Evidence struct {
	Token  json.RawMessage `json:"token"`
	Nonce  string          `json:"nonce"` // base64
	Origin string          `json:"origin"`
}

// Started is the kiosk at the begin of its service.
type Started struct {
	Version string `json:"version" doc:"of kioskd"`
}

// Lost stands for an event that cannot be read any more. That it stands in
// its place is all there is to say.
type Lost struct{}

// checkPayload sees to it that a type is in the table and payload is its.
func checkPayload(name string, payload any) error {
	for _, t := range Types {
		if t.Name != name {
			continue
		}
		if reflect.TypeOf(payload) != reflect.TypeOf(t.Payload) {
			return fmt.Errorf("payload of %s is a %T, not a %T", name, t.Payload, payload)
		}
		return nil
	}
	return fmt.Errorf("no event type %q", name)
}
