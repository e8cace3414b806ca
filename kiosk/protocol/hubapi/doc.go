// Package hubapi is the part of the hub's API that the hub and its clients share: the types
// of requests and answers, the problems (RFC 9457), the identities in certificates, and a
// client. The server is in kiosk/hub.
//
// Document describes the same API as an OpenAPI 3.1 file, for clients in other languages.
// The hub serves it, and the hub's tests check every request and answer against it.
package hubapi

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"time"
)

// Document is the description of the API, an OpenAPI 3.1.0 file in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Media types of the API's bodies, in addition to application/json.
const (
	MediaEvents  = "application/cloudevents-batch+json" // CloudEvents 1.0, JSON batch format
	MediaProblem = "application/problem+json"           // RFC 9457
	MediaOpenAPI = "application/yaml"                   // RFC 9512
	MediaTar     = "application/x-tar"                  // files of a kiosk (pax, POSIX.1-2001)
)

// CursorHeader is the header field of a feed's answer that holds its cursor. The consumer
// acknowledges the cursor after it has processed all events of the answer.
const CursorHeader = "Feed-Cursor"

// EndingSoon is how long before the end of a certificate technicians and operators are told.
// A kiosk has renewed its certificate long before.
const EndingSoon = 30 * 24 * time.Hour

// InstanceHeader is the header field in which a kiosk says which start of kioskd makes a
// request: a random number in hexadecimal. It stays in memory, so a copy of the kiosk's
// files does not have it.
const InstanceHeader = "Kiosk-Instance"

// TwinHeader is the header field of an answer to a kiosk while the hub sees a second
// machine with the same identity. It holds the IP address of the other machine.
const TwinHeader = "Kiosk-Twin"

// SignedTimeHeader is the header field of an answer to a kiosk with the newest time that a
// CA has signed in an OCSP answer to the hub (its thisUpdate, as an HTTP date). It is
// independent of the hub's clock, and missing if the hub has had no such answer.
const SignedTimeHeader = "Signed-Time"

// instanceBytes is the length of an instance.
const instanceBytes = 16

// NewInstance makes the instance of this start of kioskd.
func NewInstance() string {
	b := make([]byte, instanceBytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// ValidInstance reports whether s has the form of an instance.
func ValidInstance(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == instanceBytes
}

// Limits of the hub. It refuses a request beyond them with a problem.
const (
	MaxEventsBody    = 4 << 20                 // bytes of one batch of events, in requests and answers
	MaxRequestBody   = 64 << 10                // bytes of any other request
	MaxEvents        = 1000                    // events in one batch, in requests and answers
	MaxWait          = 60 * time.Second        // duration of one long poll of the feed
	ChallengeLife    = 5 * time.Minute         // from when a challenge is made until it expires
	GrantLife        = 30 * time.Second        // from when a verdict is granted until the kiosk may no longer act on it
	VerdictWithin    = 1500 * time.Millisecond // from when the hub receives an authentication until it answers
	NonceBytes       = 32                      // random bytes in a challenge (Web eID: at least 32)
	DefaultFeedBatch = 100                     // events, if the request does not set max
)
