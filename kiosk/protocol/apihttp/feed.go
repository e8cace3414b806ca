// Package apihttp is the HTTP layer of servers of the hubapi API: the hub, and a kiosk that
// serves its own feed. It identifies the client, reads bodies and parameters, answers with
// problems, and serves the two operations of a feed. The caller defines and stores the
// events.
package apihttp

import (
	"encoding/json"
	"net/http"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// Pull is a consumer's request for events.
type Pull struct {
	Max  int           // maximum number of events
	Wait time.Duration // for the first event, if no event is waiting
}

// ReadPull reads the parameters max and wait.
func ReadPull(r *http.Request) (p Pull, err error) {
	query := r.URL.Query()
	if p.Max, err = Number(query, "max", 1, hubapi.MaxEvents, hubapi.DefaultFeedBatch); err != nil {
		return Pull{}, err
	}
	seconds, err := Number(query, "wait", 0, int(hubapi.MaxWait/time.Second), 0)
	p.Wait = time.Duration(seconds) * time.Second
	return p, err
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
