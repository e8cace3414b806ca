package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// TestNothingLeft removes the kiosk's state while the hub is down. The kiosk must serve at
// once, in a new epoch, and its events must reach the feed when the hub is back.
func TestNothingLeft(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	h := s.startHub()
	p := newPerson(t, s.panel)
	k := s.startKiosk(p)
	denied := func() {
		t.Helper()
		p.sees("welcome")
		remove := s.insert("expired")
		p.sees("denied")
		remove()
		p.sees("welcome")
	}
	shown := func(e seen) bool { return e.kind == event.TypeShown } // the last event of a visit
	denied()
	if got := len(s.eventsUntil(shown)); got != 4 {
		t.Errorf("the feed has %d events", got)
	}
	for _, lose := range []func(path string) error{os.Remove, func(path string) error { return os.Truncate(path, 0) }} {
		h.signal(syscall.SIGKILL)
		k.stop()
		if err := errors.Join(lose(s.outbox()), lose(s.bundle("state/records.db"))); err != nil {
			t.Fatal(err)
		}
		p.show(frame{})
		k = s.startKiosk(p)
		denied()
		h = s.startHub()
		events := s.eventsUntil(shown)
		if len(events) != 4 || events[0].kind != event.TypeEpoch || events[0].sequence != 1 || events[1].kind != event.TypeStarted {
			t.Errorf("after the loss the feed has %s", story(events))
		}
	}
	k.stop()
	h.stop()
}

// TestNewDeviceKey replaces the device key while events wait. They stay valid by the key that
// signed them, also if the hub has forgotten it: kioskd keeps the certificates of its former
// keys.
func TestNewDeviceKey(t *testing.T) {
	s := newSite(t)
	k := spawn(t, "kioskd", "run", "--config", s.config)
	k.await("msg=ready")
	k.stop()
	j, _, done := s.journal(store.Options{})
	for i := range 5 {
		visit(t, j, fmt.Sprintf("v%d", i+1), 300)
	}
	done()
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(s.bundle("state"), s.path("state")), os.RemoveAll(s.path("hub/kiosks/k1"))); err != nil {
		t.Fatal(err)
	}
	must(t, "kioskhub", "kiosk", "add", "--test-key", "--dir", s.path("hub"), "k1")
	if err := errors.Join(os.WriteFile(s.config, config, 0o600), os.Rename(s.path("state"), s.bundle("state"))); err != nil {
		t.Fatal(err)
	}
	h := s.startHub()
	k = spawn(t, "kioskd", "run", "--config", s.config)
	k.await("msg=ready")
	s.tells("new started v1 v2 v3 v4 v5 started", func(e seen) bool { return e.sequence == 8 })
	k.stop()
	h.stop()
	if text, err := os.ReadFile(filepath.Join(s.bundle("state"), "certificates.pem")); err != nil || strings.Count(string(text), "BEGIN CERTIFICATE") != 2 {
		t.Errorf("the former certificates are %s, %v", text, err)
	}
}

// TestOldState puts the kiosk's state back to a copy of some events ago, while the hub has the
// later ones. The kiosk's next events must reach the feed.
func TestOldState(t *testing.T) {
	s := newSite(t)
	h := s.startHub()
	run := func(until func(k *process)) {
		t.Helper()
		k := spawn(t, "kioskd", "run", "--config", s.config)
		k.await("msg=ready")
		until(k)
		k.stop()
	}
	run(func(*process) { s.eventsUntil(started) })
	if err := os.CopyFS(s.path("old"), os.DirFS(s.bundle("state"))); err != nil {
		t.Fatal(err)
	}
	run(func(*process) { s.eventsUntil(started) })
	if err := errors.Join(os.RemoveAll(s.bundle("state")), os.Rename(s.path("old"), s.bundle("state"))); err != nil {
		t.Fatal(err)
	}
	run(func(k *process) { k.await("new epoch: the hub has other events") })
	run(func(*process) {
		s.tells("started conflict started", func(e seen) bool { return started(e) && e.sequence == 2 })
	})
	h.stop()
}
