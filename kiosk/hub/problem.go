package hub

import (
	"errors"
	"net/http"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
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
		p = apihttp.Internal()
	}
	apihttp.WriteProblem(w, p)
}

func notReady() *hubapi.Problem {
	p := apihttp.Problem(http.StatusServiceUnavailable, hubapi.KindNotReady, "not ready", "try again in a moment")
	p.Wait = retryAfter
	return p
}
