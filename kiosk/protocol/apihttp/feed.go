// Package apihttp is the HTTP layer of servers of the hubapi API: the hub, and a kiosk that
// serves its own feed. It identifies the client, reads bodies and parameters, answers with
// problems, and serves the two operations of a feed. The caller defines and stores the
// events.
package apihttp

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// ReadPull reads the parameters max and wait. It refuses all other parameters.
func ReadPull(r *http.Request) (hubapi.Pull, error) {
	query, err := parameters(r, hubapi.ParamMax, hubapi.ParamWait)
	if err != nil {
		return hubapi.Pull{}, err
	}
	return readPull(query)
}

func readPull(query url.Values) (p hubapi.Pull, err error) {
	if p.Max, err = Number(query, hubapi.ParamMax, 1, hubapi.MaxEvents, hubapi.DefaultFeedBatch); err != nil {
		return hubapi.Pull{}, err
	}
	seconds, err := Number(query, hubapi.ParamWait, 0, int(hubapi.MaxWait/time.Second), 0)
	p.Wait = time.Duration(seconds) * time.Second
	return p, err
}

// maxValues is how many values a parameter of a selection may have.
const maxValues = 100

// ReadSelection reads all parameters of a hubapi.Pull. It refuses parameters that it does
// not know, so that a misspelled filter does not return the wrong events.
func ReadSelection(r *http.Request) (p hubapi.Pull, err error) {
	query, err := parameters(r, hubapi.ParamMax, hubapi.ParamWait, hubapi.ParamAfter, hubapi.ParamSince,
		hubapi.ParamType, hubapi.ParamKiosk, hubapi.ParamDomain)
	if err != nil {
		return hubapi.Pull{}, err
	}
	if p, err = readPull(query); err != nil {
		return hubapi.Pull{}, err
	}
	if query.Has(hubapi.ParamAfter) && query.Has(hubapi.ParamSince) {
		return hubapi.Pull{}, Malformed("the parameters after and since exclude each other")
	}
	if p.After = query.Get(hubapi.ParamAfter); p.After == "" && query.Has(hubapi.ParamAfter) {
		return hubapi.Pull{}, BadCursor()
	}
	if query.Has(hubapi.ParamSince) {
		if p.Since, err = time.Parse(time.RFC3339, query.Get(hubapi.ParamSince)); err != nil {
			return hubapi.Pull{}, Malformed("since must be a time in RFC 3339, for example 2026-11-29T12:00:00Z")
		}
	}
	for name, list := range map[string]*[]string{hubapi.ParamType: &p.Types, hubapi.ParamKiosk: &p.Kiosks, hubapi.ParamDomain: &p.Domains} {
		*list = query[name]
		if len(*list) > maxValues || slices.Contains(*list, "") {
			return hubapi.Pull{}, Malformed(fmt.Sprintf("%s must have 1 to %d values that are not empty", name, maxValues))
		}
	}
	return p, nil
}

// parameters returns the query of a request. It refuses a parameter that is not in known,
// and one that stands twice although it has one value.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Malformed("the query of the address cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return nil, Malformed(fmt.Sprintf("the parameter %.40q is unknown; known are: %s", name, strings.Join(known, ", ")))
		}
		list := name == hubapi.ParamType || name == hubapi.ParamKiosk || name == hubapi.ParamDomain
		if len(query[name]) > 1 && !list {
			return nil, Malformed(fmt.Sprintf("the parameter %s stands more than once", name))
		}
	}
	return query, nil
}

// CheckConsumer refuses a client that asks for the feed of another consumer.
func CheckConsumer(r *http.Request, client hubapi.Identity) error {
	if r.PathValue("consumer") != client.Name {
		return Forbidden("the feed of another consumer")
	}
	return nil
}

// ReadCursor reads the cursor that a consumer acknowledges.
func ReadCursor(r *http.Request) (string, error) {
	var in hubapi.FeedAcknowledgement
	err := ReadJSON(r, map[string]any{"cursor": &in.Cursor})
	return in.Cursor, err
}

// BadCursor is the problem for a cursor that no answer of this feed contained.
func BadCursor() *hubapi.Problem { return Malformed("the cursor was not issued by this feed") }

// Batch collects the events of one answer. It holds at most Max events and
// hubapi.MaxEventsBody bytes, but always the first event.
type Batch struct {
	Max   int
	count int
	text  []byte // the JSON array without its end
}

// Len returns the number of events.
func (b *Batch) Len() int { return b.count }

// Size returns the number of bytes that the events take up so far.
func (b *Batch) Size() int { return len(b.text) }

// Full reports whether the batch holds Max events.
func (b *Batch) Full() bool { return b.count >= b.Max }

// Add appends an event. It returns false if there is no room for it.
func (b *Batch) Add(event []byte) bool {
	if b.Full() || b.count > 0 && len(b.text)+len(event)+len(",]") > hubapi.MaxEventsBody {
		return false
	}
	separator := byte(',')
	if b.count == 0 {
		separator = '['
	}
	b.text = append(append(b.text, separator), event...)
	b.count++
	return true
}

// Write answers with the events. The consumer acknowledges them with cursor.
func (b *Batch) Write(w http.ResponseWriter, cursor string) {
	w.Header().Set(hubapi.CursorHeader, cursor)
	Write(w, http.StatusOK, hubapi.MediaEvents, b.Array())
}

// Array returns the events as a JSON array. Add must not be called afterwards.
func (b *Batch) Array() []byte {
	if b.count == 0 {
		return []byte("[]")
	}
	return append(b.text, ']')
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	Write(w, status, "application/json", body)
	return nil
}

// Write answers with a body that caches must not keep. It ignores write errors: a client
// that got no answer sends its request again.
func Write(w http.ResponseWriter, status int, media string, body []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
