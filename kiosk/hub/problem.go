package hub

import (
	"errors"
	"net/http"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// storeTimeout bounds one call of JetStream. retryAfter is the Retry-After of the answer
// when one has failed.
const (
	storeTimeout = 5 * time.Second
	retryAfter   = time.Second
)

// storeError is a failure of JetStream that may pass.
type storeError struct{ err error }

func (e storeError) Error() string { return "cannot reach the store: " + e.err.Error() }
func (e storeError) Unwrap() error { return e.err }

// refuse answers with a problem document. Any error that is not one is the hub's own
// fault: the client learns only that, and the log has the error.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, c caller, err error) {
	p, ok := errors.AsType[*hubapi.Problem](err)
	var refused StoreError
	switch {
	case ok && p.Status == http.StatusTooManyRequests: // logged once a minute
	case ok:
		h.log.Info("request refused", "request", requestID(r.Context()), "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "status", p.Status, "err", p)
	case r.Context().Err() != nil:
		// The client is gone, or the hub stops. In the second case it gets the answer.
		p = notReady()
	case errors.As(err, &refused):
		h.log.Debug("request refused", "request", requestID(r.Context()), "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "err", err)
		p = refused.problem()
	case errors.As(err, new(storeError)):
		h.keeper.suspect()
		h.log.Error("store failed", "request", requestID(r.Context()), "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "err", err)
		p = notReady()
	default:
		h.log.Error("request failed", "request", requestID(r.Context()), "caller", c.Identity, "method", r.Method, "path", r.URL.Path, "err", err)
		p = apihttp.Internal()
	}
	apihttp.WriteProblem(w, p)
}

func notReady() *hubapi.Problem {
	p := apihttp.Problem(http.StatusServiceUnavailable, hubapi.KindNotReady, "not ready", "try again in a moment")
	p.Wait = retryAfter
	return p
}
