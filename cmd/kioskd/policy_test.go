package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// TestPolicy checks that, while the hub is down, the kiosk decides by the hub's rules,
// also after a restart. Later the hub must review those verdicts.
func TestPolicy(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	hubConfig := s.path("hub/hub.toml")
	text, err := os.ReadFile(hubConfig)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "[offline]")
	rules := before + "[offline]\nrule = \"known\"\nknown_days = 30\nper_holder = 1\nuntrusted_clock = \"deny\"\n"
	if err := os.WriteFile(hubConfig, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	theHub := s.startHub()
	p := newPerson(t, s.panel)
	daemon := s.startKiosk(p)
	daemon.await("policy updated")
	visit := func(card, want string) {
		t.Helper()
		p.sees("welcome")
		remove := s.insert(card)
		p.types("1234#")
		p.sees(want)
		remove()
		p.sees("welcome")
	}

	visit("valid", "granted") // the hub decides
	theHub.signal(syscall.SIGKILL)
	visit("valid", "granted") // the kiosk decides; the hub has admitted this holder before
	daemon.stop()
	daemon = s.startKiosk(p)
	visit("valid", "denied") // the rules allow one offline visit

	theHub = s.startHub()
	events := s.pull(3)
	s.awaitReviews(1)
	daemon.stop()
	theHub.stop()
	var last []kiosk.Reason
	for _, e := range events {
		if e.Type != event.TypeVisit {
			continue
		}
		last = append(last, e.Data.Reason)
		if e.Data.Offline != (e.Data.Basis != nil && e.Data.Basis.Rules != "") {
			t.Errorf("offline is %v, the basis %+v", e.Data.Offline, e.Data.Basis)
		}
	}
	if len(last) != 3 || last[1] != "" || last[2] != kiosk.OfflineLimit {
		t.Errorf("the reasons are %q", last)
	}
	if r := s.reviews[0]; len(s.reviews) != 1 || !r.Agrees || r.Outcome != kiosk.Granted {
		t.Errorf("the hub's reviews are %+v", s.reviews)
	}
}
