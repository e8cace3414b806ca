package main

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/kiosk/policy"
)

// doctor shows how old everything is that kioskd gets again and again, and what is late.
func TestDoctorSchedule(t *testing.T) {
	dir := t.TempDir()
	status := daemon.Status{Uptime: 3 * time.Hour}
	l, err := net.Listen("unix", filepath.Join(dir, daemon.Socket))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(status) })}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	d := &doctor{settings: &config.Config{State: dir}}

	fresh := policy.Task{Name: "policy", Done: time.Unix(1, 0), Age: 5 * time.Minute, Late: time.Hour}
	status.Tasks = []policy.Task{fresh, {Name: "certificate", Done: time.Unix(1, 0), Age: 70 * 24 * time.Hour, Late: 80 * 24 * time.Hour, Problem: "no route"}}
	if got := d.schedule(t.Context()); got.State != stateOK || got.Found != "policy: 5 min old; certificate: 70 days old (no route)" {
		t.Errorf("%+v", got)
	}
	status.Tasks = []policy.Task{fresh, {Name: "known holders", Late: time.Hour, Problem: "no route"}, {Name: "revocation list of test", Done: time.Unix(1, 0), Age: 40 * time.Hour, Late: 24 * time.Hour}}
	if got := d.schedule(t.Context()); got.State != stateWarning || got.Advice == "" ||
		got.Found != "late: known holders: not since kioskd started 3 h ago (no route); revocation list of test: 40 h old" {
		t.Errorf("%+v", got)
	}
}
