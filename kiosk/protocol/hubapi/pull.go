package hubapi

import (
	"net/url"
	"strconv"
	"time"
)

// Pull is a consumer's request for events. The zero value of each member but Max means
// that the member is not set.
type Pull struct {
	Max  int           // maximum number of events, 1 to MaxEvents
	Wait time.Duration // how long to wait if there is no event, 0 to MaxWait, in whole seconds

	// The request reads on from the consumer's own cursor, unless it names a place. At
	// most one of them is set. Reading never moves the consumer's cursor.
	After string    // a cursor that this feed issued; Beginning is before the first event
	Since time.Time // when the hub stored the first event

	// An event is in the answer if it matches one value of each list that is not empty.
	Types   []string // CloudEvent types, for example "smartkiosk.visit.v1"
	Kiosks  []string // kiosks that wrote the event, or that the hub's event is about
	Domains []string // trust domains of the event's holder
}

// Beginning is the cursor before the first event of a feed.
const Beginning = "0"

// Names of the query parameters of a Pull.
const (
	ParamMax    = "max"
	ParamWait   = "wait"
	ParamAfter  = "after"
	ParamSince  = "since"
	ParamType   = "type"
	ParamKiosk  = "kiosk"
	ParamDomain = "domain"
)

// Query returns p as the parameters of GET /v1/feed/{consumer}.
func (p Pull) Query() url.Values {
	q := url.Values{ParamMax: {strconv.Itoa(p.Max)}, ParamWait: {strconv.Itoa(int(p.Wait / time.Second))}}
	if p.After != "" {
		q.Set(ParamAfter, p.After)
	}
	if !p.Since.IsZero() {
		q.Set(ParamSince, p.Since.UTC().Format(time.RFC3339Nano))
	}
	for name, values := range map[string][]string{ParamType: p.Types, ParamKiosk: p.Kiosks, ParamDomain: p.Domains} {
		q[name] = values
	}
	return q
}
