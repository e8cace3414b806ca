package hubapi

import (
	"crypto/rand"
	"errors"
	"strings"
)

// RequestHeader carries the id of a request. The client chooses a random one for each, the
// hub answers with it, and both write it into their logs. All attempts of one request have
// the same id. The hub gives an id to a request without one.
const RequestHeader = "Request-Id"

// maxRequestID bounds the length of a request's id.
const maxRequestID = 64

// NewRequestID returns a random id of 60 bits.
func NewRequestID() string { return strings.ToLower(rand.Text()[:12]) }

// ValidRequestID reports whether a text can be the id of a request: 1 to 64 letters, digits
// and hyphens.
func ValidRequestID(text string) bool {
	return text != "" && len(text) <= maxRequestID &&
		strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// requestError is the error of a request with an id.
type requestError struct {
	error
	id string
}

func (e requestError) Unwrap() error { return e.error }

// RequestID returns the id of the request that failed with an error of the Client, or "".
func RequestID(err error) string {
	if e, ok := errors.AsType[requestError](err); ok {
		return e.id
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.request
	}
	return ""
}
