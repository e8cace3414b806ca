// Package hubapi is the hub's API as both ends speak it: the types of its
// requests and answers, its problems (RFC 9457), the identities in its
// certificates, and a client. The hub itself is kiosk/hub.
//
// Document describes the same API as an OpenAPI 3.1 file, for clients in other
// languages. The hub serves it, and the hub's tests check every request and answer
// against it.
package hubapi

import (
	_ "embed"
	"time"
)

// Document is the API's description, an OpenAPI 3.1.0 file in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Media types of the API's bodies, in addition to application/json.
const (
	MediaEvents  = "application/cloudevents-batch+json" // CloudEvents 1.0, JSON batch format
	MediaProblem = "application/problem+json"           // RFC 9457
	MediaOpenAPI = "application/yaml"                   // RFC 9512
)

// CursorHeader is the header field of a feed's answer that holds the cursor
// to acknowledge once all events of the answer have been dealt with.
const CursorHeader = "Feed-Cursor"

// Limits of the hub. It refuses a request beyond them with a problem.
const (
	MaxEventsBody    = 4 << 20                 // bytes of one batch of events, both ways
	MaxRequestBody   = 64 << 10                // bytes of any other request
	MaxEvents        = 1000                    // events in one batch, both ways
	MaxWait          = 60 * time.Second        // of one long poll of the feed
	ChallengeLife    = 5 * time.Minute         // from a challenge's making to its expiry
	GrantLife        = 30 * time.Second        // from a granted verdict's making until it is too late to act on it
	VerdictWithin    = 1500 * time.Millisecond // from an authentication's arrival at the hub to its answer
	NonceBytes       = 32                      // of randomness in a challenge (Web eID: at least 32)
	DefaultFeedBatch = 100                     // events, when a feed's request does not say max
)
