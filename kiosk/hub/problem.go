package hub

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// storeTimeout bounds one call of JetStream; retryAfter is what a client is
// told to wait when one failed.
const (
	storeTimeout = 5 * time.Second
	retryAfter   = time.Second
)

// storeError is JetStream not doing its work, for now.
type storeError struct{ err error }

func (e storeError) Error() string { return "cannot reach the store: " + e.err.Error() }
func (e storeError) Unwrap() error { return e.err }

func problem(status int, kind hubapi.Kind, title, detail string) *hubapi.Problem {
	return &hubapi.Problem{Type: kind, Title: title, Status: status, Detail: detail}
}

func malformed(detail string) *hubapi.Problem {
	return problem(http.StatusBadRequest, hubapi.KindMalformed, "malformed request", detail)
}

func forbidden(detail string) *hubapi.Problem {
	return problem(http.StatusForbidden, hubapi.KindForbidden, "forbidden", detail)
}

func tooLarge(detail string) *hubapi.Problem {
	return problem(http.StatusRequestEntityTooLarge, hubapi.KindTooLarge, "too large", detail)
}

// refuse answers with the problem that err is. What is not one is the hub's
// own trouble: the client learns that, and the operator what it was.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, c caller, err error) {
	p, ok := errors.AsType[*hubapi.Problem](err)
	switch {
	case ok:
		h.log.Info("request refused", "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "status", p.Status, "err", p)
	case r.Context().Err() != nil:
		// The client is gone, or the hub stops: 503 is for the latter.
		p = notReady()
	case errors.As(err, new(storeError)):
		h.log.Error("store failed", "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "err", err)
		p = notReady()
	default:
		h.log.Error("request failed", "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "err", err)
		p = problem(http.StatusInternalServerError, hubapi.KindInternal, "internal error", "")
	}
	if p.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.Wait.Seconds())))
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	write(w, p.Status, hubapi.MediaProblem, body)
}

func notReady() *hubapi.Problem {
	p := problem(http.StatusServiceUnavailable, hubapi.KindNotReady, "not ready", "try again in a moment")
	p.Wait = retryAfter
	return p
}
