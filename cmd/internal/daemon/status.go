package daemon

import (
	"encoding/json"
	"net/http"
	"time"

	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/update"
)

// Status is the answer to GET /v1/status on the local socket.
type Status struct {
	Version     string    `json:"version"`               // of the running program
	PolicyUntil time.Time `json:"policy_until,omitzero"` // end of the policy in force; zero without one

	Uptime time.Duration `json:"uptime"` // since the program began to serve; nanoseconds
	Tasks  []policy.Task `json:"tasks"`  // what the kiosk gets again and again

	Update *update.Status `json:"update,omitempty"` // of the system; nil if kioskd does not look after it
}

// Names of tasks, in addition to those of package policy.
const (
	taskCertificate = "certificate"
	taskTime        = "time of the hub"
)

// timeLate is the age from which the hub's time is late. Each answer of the hub has it.
const timeLate = 24 * time.Hour

// tasks returns the state of everything that the kiosk gets again and again.
func (d *Daemon) tasks() []policy.Task {
	all := d.offline.syncer.Tasks()
	for _, t := range []policy.Task{d.identity.task(), {Name: taskTime, Done: d.offline.clock.State().Hub, Late: timeLate}} {
		if !t.Done.IsZero() {
			t.Age = max(0, d.offline.clock.At().Sub(t.Done))
		}
		all = append(all, t)
	}
	return all
}

// status describes the running kiosk.
func (d *Daemon) status(version string, uptime time.Duration) Status {
	s := Status{Version: version, PolicyUntil: d.offline.decider.Config().Until, Uptime: uptime, Tasks: d.tasks()}
	if d.updates != nil {
		u := d.updates.Status()
		s.Update = &u
	}
	return s
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
