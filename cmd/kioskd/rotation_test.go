package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/protocol/event"
)

// TestSealingKeyRotation replaces the hub's sealing key while events sealed to the
// old one are queued, and again while the hub runs. The kiosk must follow, also after
// a restart, and the feed must be exact.
func TestSealingKeyRotation(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.hubSettings("ask_every = \"15m\"", "ask_every = \"1s\"")
	first := s.sealingKeys()[0]
	p := newPerson(t, s.panel)
	denied := func(card string) {
		t.Helper()
		remove := s.insert(card)
		p.sees("denied")
		remove()
		p.sees("welcome")
	}

	// The key is replaced while the hub is down.
	kiosk := s.startKiosk(p)
	p.sees("welcome")
	denied("expired")
	must(t, "kioskhub", "seal", "rotate", "--dir", s.path("hub"))
	second := s.sealingKeys()[0]
	denied("expired")
	theHub := s.startHub()
	kiosk.await("key=" + second)
	denied("expired")

	// The key is replaced while the hub runs.
	must(t, "kioskhub", "seal", "rotate", "--dir", s.path("hub"))
	third := s.sealingKeys()[0]
	theHub.await("key=" + third)
	kiosk.await("key=" + third)
	s.events(8)
	theHub.signal(syscall.SIGKILL)

	// The kiosk keeps to the new key after a restart, also without its records.
	kiosk.signal(syscall.SIGKILL)
	if err := os.Remove(s.bundle("state/records.db")); err != nil {
		t.Fatal(err)
	}
	kiosk = s.startKiosk(p)
	p.sees("welcome")
	denied("expired")
	if got, want := s.sealedTo(), []string{first, first, first, first, second, third, third}; !slices.Equal(got, want) {
		t.Errorf("events are sealed to %q, want %q", got, want)
	}

	// The hub's key file opens all events. A key can be retired when no event sealed
	// to it is queued; older events can then no longer be opened.
	verify := []string{"events", "verify", "--from", s.bundle("state/kioskd.sock"), "--seal", s.path("hub/seal.jwk"), "--certificate", s.bundle("kiosk.pem")}
	if out := must(t, "kioskctl", verify...); !strings.Contains(out, " events, 1 to ") {
		t.Errorf("kioskctl events verify prints %q", out)
	}
	for _, old := range []string{first, second} {
		must(t, "kioskhub", "seal", "retire", "--dir", s.path("hub"), "--yes", old)
	}
	if out := fails(t, "kioskctl", verify...); !strings.Contains(out, "event 7: cannot open event: event is sealed to a key that this hub does not have\n") || strings.Contains(out, "event 9:") {
		t.Errorf("with two keys retired: %q", out)
	}
	theHub = s.startHub()
	events := s.events(11)
	if len(events) != 3 || events[0].kind != event.TypeStarted || events[1].kind != event.TypeVisit {
		t.Errorf("after the restart the feed has %v", events)
	}
	kiosk.stop()
	theHub.stop()
}

// TestRetiredTooSoon retires a key while events sealed to it are queued. The feed must
// name these events as unreadable, and the events after them must arrive.
func TestRetiredTooSoon(t *testing.T) {
	s := newSite(t)
	s.hubSettings("ask_every = \"15m\"", "ask_every = \"1s\"")
	start := func() *process {
		k := spawn(t, "kioskd", "run", "--config", s.config)
		k.await("msg=ready")
		return k
	}
	start().stop()
	kiosk := start()
	first := s.sealingKeys()[0]
	must(t, "kioskhub", "seal", "rotate", "--dir", s.path("hub"))
	must(t, "kioskhub", "seal", "retire", "--dir", s.path("hub"), "--yes", first)
	s.startHub()
	kiosk.await("key=" + s.sealingKeys()[0])
	kiosk.stop()
	kiosk = start()
	var kinds []string
	for _, e := range s.events(4) {
		kinds = append(kinds, e.kind)
	}
	if want := []string{event.TypeParked, event.TypeParked, event.TypeParked, event.TypeStarted}; !slices.Equal(kinds, want) {
		t.Errorf("the feed has %q, want %q", kinds, want)
	}
	kiosk.stop()
}

// hubSettings changes hub.toml.
func (s *site) hubSettings(old, new string) {
	s.t.Helper()
	path := s.path("hub/hub.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		s.t.Fatalf("hub.toml has no %s", old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// sealingKeys returns the ids of the hub's sealing keys, newest first.
func (s *site) sealingKeys() (ids []string) {
	s.t.Helper()
	lines := strings.Split(must(s.t, "kioskhub", "seal", "list", "--dir", s.path("hub")), "\n")
	for _, line := range lines[1 : len(lines)-1] {
		id, _, _ := strings.Cut(line, " ")
		ids = append(ids, id)
	}
	return ids
}

// sealedTo returns the id of the key to which each event in the running kiosk's
// outbox is sealed, except the reports of what was shown: they are sealed up to a second
// later.
func (s *site) sealedTo() (ids []string) {
	s.t.Helper()
	var events []struct{ Type, Data string }
	text := must(s.t, "kioskctl", "events", "export", "--from", s.bundle("state/kioskd.sock"))
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == event.TypeShown {
			continue
		}
		head, _, _ := strings.Cut(e.Data, ".")
		plain, err := base64.RawURLEncoding.DecodeString(head)
		var jwe struct{ Kid string }
		if err == nil {
			err = json.Unmarshal(plain, &jwe)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, jwe.Kid)
	}
	return ids
}
