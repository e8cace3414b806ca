package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"smartkiosk/kiosk"
)

// HubSource is the source attribute of events that a hub writes.
const HubSource = "urn:smartkiosk:hub"

// hubEvent is an event that a hub writes, as consumers get it.
type hubEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            string          `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// ByTheHub makes an event that a hub writes, as a CloudEvent for the feed. The payload
// must have the Go type that Types lists for kind.
func ByTheHub(id, kind string, at time.Time, payload any) ([]byte, error) {
	if !slices.ContainsFunc(Types, func(t Type) bool {
		return t.Name == kind && t.By == ByHub && reflect.TypeOf(t.Payload) == reflect.TypeOf(payload)
	}) {
		return nil, fmt.Errorf("cannot make event: %s with a %T is not an event of hubs", kind, payload)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, errors.New("cannot make event: its payload cannot be encoded as JSON")
	}
	return json.Marshal(hubEvent{
		SpecVersion: "1.0", ID: id, Source: HubSource, Type: kind, Time: at.UTC().Format(timeFormat),
		DataContentType: "application/json", Data: data,
	})
}

// madeByHub reports whether only hubs may write events of a type.
func madeByHub(kind string) bool {
	return slices.ContainsFunc(Types, func(t Type) bool { return t.Name == kind && t.By == ByHub })
}

// notOfToken lists the reasons with which a kiosk denies by the hub's offline rules,
// whatever the card.
var notOfToken = []kiosk.Reason{
	kiosk.OfflineNever, kiosk.OfflineExpired, kiosk.OfflineUnknown, kiosk.OfflineLimit, kiosk.ClockUntrusted,
}

// Reviewed reports whether a hub reviews a visit: every visit in which a kiosk let somebody
// in offline, and those in which it denied a card by its own judgement. A denial by the
// offline rules of the hub needs no review.
func Reviewed(v Visit) bool {
	return v.Offline && (v.Outcome == kiosk.Granted ||
		v.Outcome == kiosk.Denied && v.Evidence != nil && !slices.Contains(notOfToken, v.Reason))
}
