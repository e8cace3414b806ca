package daemon

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"smartkiosk/kiosk/clock"
)

// ClockSetting is the body of PUT /v1/clock on the local socket.
type ClockSetting struct {
	Time time.Time `json:"time"`
}

// serveClock adds to the handler of the local socket what kioskctl clock needs: GET
// /v1/clock returns a clock.State; PUT /v1/clock replaces the remembered times.
func serveClock(local http.Handler, c *clock.Clock, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", local)
	mux.HandleFunc("GET /v1/clock", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.State()) // the client has gone
	})
	mux.HandleFunc("PUT /v1/clock", func(w http.ResponseWriter, r *http.Request) {
		var setting ClockSetting
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&setting); err != nil || setting.Time.IsZero() {
			http.Error(w, "the body must be {\"time\": …} with an RFC 3339 time", http.StatusBadRequest)
			return
		}
		if err := c.Set(setting.Time); err != nil {
			log.Error("cannot set the remembered time", "err", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		log.Warn("a technician set the remembered time", "set_to", setting.Time)
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
