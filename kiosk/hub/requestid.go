package hub

import (
	"context"
	"net/http"

	"smartkiosk/kiosk/protocol/hubapi"
)

// requestKey is the key of a request's id in its context.
type requestKey struct{}

// withRequestID puts the id of a request into its context and into the answer. A client that
// sends no id, or an invalid one, gets one.
func withRequestID(w http.ResponseWriter, r *http.Request) *http.Request {
	id := r.Header.Get(hubapi.RequestHeader)
	if !hubapi.ValidRequestID(id) {
		id = hubapi.NewRequestID()
	}
	w.Header().Set(hubapi.RequestHeader, id)
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
}

// requestID returns the id of the request that a context belongs to, or "".
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
