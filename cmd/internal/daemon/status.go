package daemon

import (
	"encoding/json"
	"net/http"
	"time"
)

// Status is the answer to GET /v1/status on the local socket.
type Status struct {
	Version     string    `json:"version"`               // of the running program
	PolicyUntil time.Time `json:"policy_until,omitzero"` // end of the policy in force; zero without one
}

// serveStatus adds GET /v1/status to the handler of the local socket.
func serveStatus(local http.Handler, status func() Status) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", local)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status()) // the client has gone
	})
	return mux
}
