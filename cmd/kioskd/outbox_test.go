package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// bundle is the kiosk's folder.
func (s *site) bundle(name string) string { return s.path("hub/kiosks/k1/" + name) }

func (s *site) outbox() string { return s.bundle("state/outbox.db") }

// configure appends settings to kioskd.toml.
func (s *site) configure(more string) {
	s.t.Helper()
	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(more); err != nil {
		s.t.Fatal(err)
	}
}

// journal returns a journal of the kiosk's outbox, which writes events as kioskd
// does. kioskd must not be running. done closes the outbox.
func (s *site) journal(o store.Options) (j *journal.Journal, outbox *store.Store, done func()) {
	s.t.Helper()
	credentials, err := hubapi.LoadCredentials(s.bundle("hub-ca.pem"), s.bundle("kiosk.pem"), s.bundle("kiosk.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(s.bundle("hub-seal.jwk"))
	if err != nil {
		s.t.Fatal(err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		s.t.Fatal(err)
	}
	sealer, err := event.NewSealer("k1", credentials.Key, &key)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(s.bundle("state"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if outbox, err = store.Open(s.outbox(), o); err != nil {
		s.t.Fatal(err)
	}
	j = &journal.Journal{Sealer: sealer, Outbox: outbox, Origin: "https://hub.example", Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
	return j, outbox, func() {
		if err := outbox.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// visit records an outcome with evidence of the given size in bytes.
func visit(t testing.TB, j *journal.Journal, name string, evidence int) {
	t.Helper()
	err := j.Record(t.Context(), kiosk.Record{
		Visit: name, Outcome: kiosk.Granted, Nonce: "n", Token: fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", evidence)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is an event of the feed.
type seen struct {
	sequence uint64
	kind     string
	data     json.RawMessage
}

// events pulls from the hub until the event with the sequence number through has
// arrived.
func (s *site) events(through uint64) (all []seen) {
	s.t.Helper()
	url, credentials, err := hub.Consumer(s.path("hub"), "backend")
	if err != nil {
		s.t.Fatal(err)
	}
	client := hubapi.NewClient(url, credentials.TLS)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for len(all) == 0 || all[len(all)-1].sequence < through {
		batch, cursor, err := client.Feed(ctx, "backend", 1000, 5*time.Second)
		if err != nil {
			s.t.Fatalf("after %d events: %v", len(all), err)
		}
		for _, raw := range batch {
			var e struct {
				Type, Sequence string
				Data           json.RawMessage
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				s.t.Fatal(err)
			}
			n, err := strconv.ParseUint(e.Sequence, 10, 64)
			if err != nil {
				continue // an event of the hub itself
			}
			all = append(all, seen{n, e.Type, e.Data})
		}
		if len(batch) > 0 {
			if err := client.AckFeed(ctx, "backend", cursor); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for i, e := range all {
		if e.sequence != all[0].sequence+uint64(i) {
			s.t.Fatalf("event %d follows event %d", e.sequence, all[i-1].sequence)
		}
	}
	return all
}

// TestDamagedOutbox overwrites pages of the outbox. The kiosk must serve again by
// itself, and the feed must name exactly the lost events.
func TestDamagedOutbox(t *testing.T) {
	s := newSite(t)
	j, outbox, done := s.journal(store.Options{})
	for i := range 12 {
		visit(t, j, fmt.Sprintf("v%d", i+1), 3000)
	}
	records, err := outbox.Pending(0, 20)
	if err != nil {
		t.Fatal(err)
	}
	done()
	file, err := os.ReadFile(s.outbox())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[4:7] {
		at := bytes.Index(file, r.Data) &^ 4095
		copy(file[at:], bytes.Repeat([]byte{0xFF}, 4096))
	}
	if err := os.WriteFile(s.outbox(), file, 0o600); err != nil {
		t.Fatal(err)
	}

	k := spawn(t, "kioskd", "run", "--config", s.config)
	k.await("outbox salvaged")
	k.await("msg=ready")
	aside, err := filepath.Glob(s.outbox() + ".damaged-2*Z")
	if err != nil || len(aside) != 1 {
		t.Fatalf("damaged files: %q, %v", aside, err)
	}
	if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, file) {
		t.Errorf("the damaged file was changed (%v)", err)
	}
	live := must(t, "kioskctl", "events", "verify", "--from", s.bundle("state/kioskd.sock"),
		"--seal", s.path("hub/seal.jwk"), "--certificate", s.bundle("kiosk.pem"))
	if !strings.HasPrefix(live, "13 events, ") {
		t.Errorf("kioskctl events verify prints %q", live)
	}
	h := s.startHub()
	events := s.events(13)
	for _, e := range events {
		switch {
		case e.sequence >= 5 && e.sequence <= 7:
			if e.kind != event.TypeLost || string(e.data) != `{"from":5,"through":7}` {
				t.Errorf("event %d is %s %s", e.sequence, e.kind, e.data)
			}
		case e.sequence == 13:
			if e.kind != event.TypeStarted {
				t.Errorf("event 13 is %s", e.kind)
			}
		case e.kind != event.TypeVisit || !strings.Contains(string(e.data), fmt.Sprintf(`"visit":"v%d"`, e.sequence)):
			t.Errorf("event %d is %s %.80s", e.sequence, e.kind, e.data)
		}
	}

	// The whole file is lost. The hub knows the last event that it has, and the records
	// contain an upper limit.
	k.stop()
	if err := os.WriteFile(s.outbox(), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	k = spawn(t, "kioskd", "run", "--config", s.config)
	k.await("outbox rebuilt")
	k.await("msg=ready")
	s.wantLost(14, 140, 14)
	h.stop()

	// The file is truncated while the kiosk runs and the hub is down.
	if err := os.Truncate(s.outbox(), 0); err != nil {
		t.Fatal(err)
	}
	<-k.done
	if said := k.output(); k.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "outbox must be opened again") {
		t.Errorf("kioskd ended with %v and printed\n%s", k.cmd.ProcessState, said)
	}
	if err := os.Remove(s.outbox()); err != nil {
		t.Fatal(err)
	}
	k = spawn(t, "kioskd", "run", "--config", s.config)
	k.await("outbox rebuilt")
	k.await("msg=ready")
	h = s.startHub()
	s.wantLost(142, 268, 14) // the hub has 14 to 141
	k.stop()
	h.stop()
}

// wantLost pulls the kiosk's events up to the one of its next start. The numbers
// first to through must be "lost" events, each of which says that the events from
// "from" through "through" are lost.
func (s *site) wantLost(first, through, from uint64) {
	s.t.Helper()
	events := s.events(through + 1)
	if events[0].sequence != first || events[len(events)-1].kind != event.TypeStarted {
		s.t.Errorf("the events begin with %d and end with a %s", events[0].sequence, events[len(events)-1].kind)
	}
	for _, e := range events[:len(events)-1] {
		if want := fmt.Sprintf(`{"from":%d,"through":%d}`, from, through); e.kind != event.TypeLost || string(e.data) != want {
			s.t.Errorf("event %d is %s %s, want %s", e.sequence, e.kind, e.data, want)
		}
	}
}

// TestFullOutbox fills the outbox. The kiosk must begin no visit that it cannot
// record, tell person and hub, and serve again when the hub has acknowledged events.
func TestFullOutbox(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.configure("\n[outbox]\nmax_mb = 4\n")
	j, outbox, done := s.journal(store.Options{MaxSize: 4 << 20})
	n := uint64(0)
	for level := store.Roomy; level != store.Full; n++ {
		visit(t, j, fmt.Sprintf("v%d", n+1), 20_000)
		var err error
		if level, err = outbox.Level(); err != nil {
			t.Fatal(err)
		}
	}
	done()
	p := newPerson(t, s.panel)
	k := s.startKiosk(p)
	k.await("room=full")
	remove := s.insert("valid")
	k.await("room=full")
	p.sees("out-of-service")
	h := s.startHub()
	k.await("room=roomy")
	p.sees("remove-card")
	remove()
	p.sees("welcome")
	remove = s.insert("valid")
	p.types("1234#")
	p.sees("granted")
	remove()
	p.sees("welcome")

	var told []string
	for _, e := range s.events(n + 3) {
		var room event.Outbox
		if err := json.Unmarshal(e.data, &room); err != nil {
			t.Fatal(err)
		}
		switch e.kind {
		case event.TypeOutbox:
			told = append(told, room.Level)
			if room.Level == "full" && room.Thinned != 1 {
				t.Errorf("%d informational events were left out, want 1: the start", room.Thinned)
			}
		case event.TypeStarted:
			t.Error("an informational event was recorded although the outbox is nearly full")
		}
	}
	if told = slices.Compact(told); len(told) < 2 || told[0] != "full" || told[len(told)-1] != "roomy" {
		t.Errorf("the hub received %q", told)
	}
	k.stop()
	h.stop()
}

// TestPullFromKiosk pulls the events from the kiosk itself, without a hub.
func TestPullFromKiosk(t *testing.T) {
	s := newSite(t)
	address := freePort(t)
	s.configure(fmt.Sprintf("\n[feed]\nlisten = %q\nrequired = [\"backend\"]\n", address))
	k := spawn(t, "kioskd", "run", "--config", s.config)
	k.await("msg=ready")
	_, credentials, err := hub.Consumer(s.path("hub"), "backend")
	if err != nil {
		t.Fatal(err)
	}
	client := hubapi.NewClient("https://"+address, feed.ClientTLS(credentials, "k1"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, cursor, err := client.Feed(ctx, "backend", 10, 0)
	if err != nil || len(events) != 1 || cursor != "1" {
		t.Fatalf("%d events, cursor %q, %v", len(events), cursor, err)
	}
	if h, err := event.Peek(events[0]); err != nil || h.Type != event.TypeStarted || strings.Contains(string(events[0]), `"version":`) {
		t.Errorf("the event is %.200s, %v", events[0], err)
	}
	if err := client.AckFeed(ctx, "backend", cursor); err != nil {
		t.Fatal(err)
	}
	if events, _, err = client.Feed(ctx, "backend", 10, 0); err != nil || len(events) != 0 {
		t.Errorf("%d events although all were acknowledged, %v", len(events), err)
	}
	k.stop()
}
