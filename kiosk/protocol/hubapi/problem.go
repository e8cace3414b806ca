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
	KindMalformed  Kind = "urn:smartkiosk:problem:malformed"    // 400: the body or a parameter does not match the API
	KindForbidden  Kind = "urn:smartkiosk:problem:forbidden"    // 403: not allowed for the role or name in the client's certificate
	KindCode       Kind = "urn:smartkiosk:problem:code"         // 401 or 403: a one-time code is wrong, locked, expired or used
	KindNotFound   Kind = "urn:smartkiosk:problem:not-found"    // 404
	KindMethod     Kind = "urn:smartkiosk:problem:method"       // 405
	KindGap        Kind = "urn:smartkiosk:problem:sequence-gap" // 409: the event before Event is missing; Has says what the hub has
	KindTooLarge   Kind = "urn:smartkiosk:problem:too-large"    // 413
	KindMedia      Kind = "urn:smartkiosk:problem:media-type"   // 415
	KindEvent      Kind = "urn:smartkiosk:problem:event"        // 422: an event that cannot be opened or does not verify; Event is its index
	KindDeviceKey  Kind = "urn:smartkiosk:problem:device-key"   // 422: an event that is signed by a key which the hub does not know as the kiosk's; Event is its index
	KindInternal   Kind = "urn:smartkiosk:problem:internal"     // 500
	KindRolledBack Kind = "urn:smartkiosk:problem:rolled-back"  // 409: the stream ends before the consumer's cursor, or was replaced by another one
	KindTooMany    Kind = "urn:smartkiosk:problem:too-many"     // 429: the client exceeds a limit of the hub
	KindNotReady   Kind = "urn:smartkiosk:problem:not-ready"    // 503: the hub's own store is unavailable at the moment
	KindUnknown    Kind = "about:blank"                         // the Client's kind for an answer that is not a problem document
)

// Problem is an error of the API (RFC 9457). The Client returns it, wrapped.
type Problem struct {
	Type   Kind   `json:"type"`
	Title  string `json:"title"`            // the same for all problems of a kind
	Status int    `json:"status"`           // HTTP status
	Detail string `json:"detail,omitempty"` // what is wrong with this request

	// Wanted is the sequence number of the first event that the hub does not have, in the
	// epoch of the refused event, with KindGap.
	Wanted uint64 `json:"wanted,omitempty"`
	// Has is all that the hub has of this kiosk, with KindGap.
	Has []Branch `json:"has,omitempty"`
	// Event is the index in the batch, from 0, of the refused event, with KindEvent,
	// KindDeviceKey and KindGap. All events before it are durable.
	Event *int `json:"event,omitempty"`

	// Wait is the Retry-After of the answer: how long the client must wait.
	Wait time.Duration `json:"-"`

	request string // id of the request that got this answer
}

// Error returns the title and, if known, the detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (HTTP status %d)", p.Title, p.Status)
	}
	return fmt.Sprintf("%s: %s (HTTP status %d)", p.Title, p.Detail, p.Status)
}

// RetryAfter returns Wait. It serves callers that test an error only for this method.
func (p *Problem) RetryAfter() time.Duration { return p.Wait }

// ReadProblem makes a Problem from an answer that is not a success. It keeps the status of
// every answer, including the error page of a proxy.
func ReadProblem(resp *http.Response, body []byte) *Problem {
	p := &Problem{Type: KindUnknown, Title: "the hub answered " + http.StatusText(resp.StatusCode)}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && media == MediaProblem {
		var read Problem
		if json.Unmarshal(body, &read) == nil && read.Title != "" {
			*p = read
		}
	}
	p.Status, p.request = resp.StatusCode, resp.Header.Get(RequestHeader)
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil {
		p.Wait = time.Duration(s) * time.Second
	}
	return p
}
