package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"smartkiosk/cmd/internal/checkup"
	"smartkiosk/device/cardsim/pcsctest"
)

// TestAskedDoctor has an operator ask a real kiosk through a real hub what is wrong with it.
func TestAskedDoctor(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.hubSettings("ask_every = \"15m\"", "ask_every = \"1s\"")
	program(t, "kioskctl")
	t.Setenv("PATH", programs.dir+":"+os.Getenv("PATH")) // kioskctl is installed next to kioskd
	s.startHub()
	s.startKiosk(newPerson(t, s.panel))
	// The exit status depends on this machine, for example on its clock.
	out, _ := exec.Command(program(t, "kioskhub"), "doctor", "--dir", s.path("hub"), "--json", "--wait", "5m", "k1").Output()
	var report checkup.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	states := map[string]string{}
	for _, f := range report.Checks {
		states[f.Check] = string(f.State) + " " + f.Found
	}
	if report.Kiosk != "k1" || report.Time.IsZero() {
		t.Errorf("the report is of kiosk %q, %s", report.Kiosk, report.Time)
	}
	for check, want := range map[string]string{
		"configuration": "ok kiosk k1, hub ", "hub": "ok ", "tls": "ok ", "kioskd": "ok ", "outbox": "ok ", "reader": "ok ",
		"update": "ok none through the hub: this machine has no RAUC",
	} {
		if !strings.HasPrefix(states[check], want) && !(check == "update" && strings.HasPrefix(states[check], "unknown cannot connect to D-Bus")) {
			t.Errorf("%s is %q, want %q", check, states[check], want)
		}
	}
}
