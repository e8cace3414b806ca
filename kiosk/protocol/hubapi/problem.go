package hubapi

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Kind is the type of a problem (RFC 9457 §3.1.1), a URN that never changes.
type Kind string

// The kinds of problem that the hub answers with.
const (
	KindMalformed  Kind = "urn:smartkiosk:problem:malformed"         // 400: a body or parameter that is not as the API has it
	KindForbidden  Kind = "urn:smartkiosk:problem:forbidden"         // 403: not for the role or name in the client's certificate
	KindNotFound   Kind = "urn:smartkiosk:problem:not-found"         // 404
	KindMethod     Kind = "urn:smartkiosk:problem:method"            // 405
	KindGap        Kind = "urn:smartkiosk:problem:sequence-gap"      // 409: events are missing; Wanted says from where to send
	KindConflict   Kind = "urn:smartkiosk:problem:sequence-conflict" // 409: not the chain of events that the hub holds for this kiosk
	KindTooLarge   Kind = "urn:smartkiosk:problem:too-large"         // 413
	KindMedia      Kind = "urn:smartkiosk:problem:media-type"        // 415
	KindEvent      Kind = "urn:smartkiosk:problem:event"             // 422: an event that cannot be opened or does not verify; Event says which
	KindInternal   Kind = "urn:smartkiosk:problem:internal"          // 500
	KindRolledBack Kind = "urn:smartkiosk:problem:rolled-back"       // 409: the stream ends before the consumer's cursor, or is another one
	KindTooMany    Kind = "urn:smartkiosk:problem:too-many"          // 429: the client exceeds a limit of the hub
	KindNotReady   Kind = "urn:smartkiosk:problem:not-ready"         // 503: the hub's own store is away for the moment
	KindUnknown    Kind = "about:blank"                              // what the Client makes of an answer that is no problem document
)

// Problem is an error of the API (RFC 9457). The Client returns it, wrapped.
type Problem struct {
	Type   Kind   `json:"type"`
	Title  string `json:"title"`            // the same for all problems of a kind
	Status int    `json:"status"`           // HTTP status
	Detail string `json:"detail,omitempty"` // what was wrong with this request

	// Wanted is the sequence of the first event that the hub does not have,
	// with KindGap: all events before it are durable.
	Wanted uint64 `json:"wanted,omitempty"`
	// Event is the place in the batch, from 0, of the event that was refused,
	// with KindEvent, KindGap and KindConflict. All before it are durable.
	Event *int `json:"event,omitempty"`

	// Wait is the answer's Retry-After: how long to leave the hub alone.
	Wait time.Duration `json:"-"`
}

// Error implements error: the title and what is known beyond it.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (HTTP status %d)", p.Title, p.Status)
	}
	return fmt.Sprintf("%s: %s (HTTP status %d)", p.Title, p.Detail, p.Status)
}

// RetryAfter returns Wait, for those who know no more of p than that it can
// be asked.
func (p *Problem) RetryAfter() time.Duration { return p.Wait }

// readProblem makes a Problem of an answer that is not a success. Whatever is
// in the way, a proxy's error page included, the answer's status is kept.
func readProblem(resp *http.Response, body []byte) *Problem {
	p := &Problem{Type: KindUnknown, Title: "the hub answered " + http.StatusText(resp.StatusCode)}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && media == MediaProblem {
		var read Problem
		if json.Unmarshal(body, &read) == nil && read.Title != "" {
			*p = read
		}
	}
	p.Status = resp.StatusCode
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil {
		p.Wait = time.Duration(s) * time.Second
	}
	return p
}
