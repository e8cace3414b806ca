package recording

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Handler lets a technician switch a recorder: GET returns its State; PUT with {"on":
// true} or {"on": false} starts or stops it. r is nil if the configuration names no
// file; every answer is then 404.
func Handler(r *Recorder) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r == nil {
			http.Error(w, "kioskd.toml names no file: set scproxy.record and restart kioskd", http.StatusNotFound)
			return
		}
		switch q.Method {
		case http.MethodGet:
		case http.MethodPut:
			var setting struct {
				On *bool `json:"on"`
			}
			if err := json.NewDecoder(io.LimitReader(q.Body, 1<<10)).Decode(&setting); err != nil || setting.On == nil {
				http.Error(w, `the body must be {"on": true} or {"on": false}`, http.StatusBadRequest)
				return
			}
			if !*setting.On {
				r.Stop()
			} else if err := r.Start(); err != nil {
				status := http.StatusInternalServerError
				if errors.Is(err, ErrOn) {
					status = http.StatusConflict
				}
				http.Error(w, err.Error(), status)
				return
			}
		default:
			w.Header().Set("Allow", "GET, PUT")
			http.Error(w, "only GET and PUT are allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r.State()) // fails only if the client has gone
	})
}
