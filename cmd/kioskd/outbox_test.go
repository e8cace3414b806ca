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

// unfollowed is an outbox that keeps no notes. So kioskd writes no reports of what was
// shown of the visits in it.
type unfollowed struct{ *store.Store }

func (o unfollowed) AppendAll(additions ...store.Addition) (uint64, error) {
	for i := range additions {
		additions[i].Note = ""
	}
	return o.Store.AppendAll(additions...)
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
	j = &journal.Journal{Sealer: sealer, Outbox: unfollowed{outbox}, Origin: "https://hub.example", Clocks: journal.Clocks{
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
	err := j.Write(t.Context(), kiosk.Record{
		Visit: name, Outcome: kiosk.Granted, Nonce: "n", Token: fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", evidence)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is an event of the feed.
type seen struct {
	epoch    string
	sequence uint64
	kind     string
	data     json.RawMessage
}

// events pulls from the hub until the event with the sequence number through has
// arrived. The first event announces the epoch.
func (s *site) events(through uint64) (all []seen) {
	s.t.Helper()
	return s.eventsUntil(func(e seen) bool { return e.sequence >= through })
}

// eventsUntil pulls from the hub until done returns true for the last event that has
// arrived.
func (s *site) eventsUntil(done func(seen) bool) (all []seen) {
	s.t.Helper()
	url, credentials, err := hub.Consumer(s.path("hub"), "backend")
	if err != nil {
		s.t.Fatal(err)
	}
	client := hubapi.NewClient(url, credentials.TLS)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for len(all) == 0 || !done(all[len(all)-1]) {
		batch, cursor, err := client.Feed(ctx, "backend", 1000, 5*time.Second)
		if err != nil {
			s.t.Fatalf("after %d events: %v", len(all), err)
		}
		for _, raw := range batch {
			var e struct {
				Type, Epoch, Sequence string
				Data                  json.RawMessage
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				s.t.Fatal(err)
			}
			n, err := strconv.ParseUint(e.Sequence, 10, 64)
			if err != nil {
				continue // an event of the hub itself
			}
			all = append(all, seen{e.Epoch, n, e.Type, e.Data})
		}
		if len(batch) > 0 {
			if err := client.AckFeed(ctx, "backend", cursor); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	last := map[string]uint64{}
	for _, e := range all {
		if before := last[e.epoch]; before > 0 && e.sequence != before+1 && !slices.ContainsFunc(all, func(o seen) bool { return o.kind == event.TypeEpoch && strings.Contains(string(o.data), "vouches") }) {
			s.t.Fatalf("event %d follows event %d", e.sequence, before)
		}
		last[e.epoch] = e.sequence
	}
	return all
}

// story describes events: visits by their names, epochs by their reasons, other events by
// their types.
func story(events []seen) string {
	var all []string
	for _, e := range events {
		var d struct {
			event.Epoch
			Visit string
		}
		_ = json.Unmarshal(e.data, &d)
		switch text := strings.TrimSuffix(strings.TrimPrefix(e.kind, "smartkiosk."), ".v1"); {
		case e.kind == event.TypeVisit:
			all = append(all, d.Visit)
		case d.LostFrom > 0:
			all = append(all, fmt.Sprintf("%s(lost %d-%d)", d.Why, d.LostFrom, d.LostThrough))
		case e.kind == event.TypeEpoch:
			all = append(all, d.Why)
		default:
			all = append(all, text)
		}
	}
	return strings.Join(all, " ")
}

// tells pulls events until done, and compares their story.
func (s *site) tells(want string, done func(seen) bool) {
	s.t.Helper()
	if got := story(s.eventsUntil(done)); got != want {
		s.t.Errorf("the feed has %s, want %s", got, want)
	}
}

func started(e seen) bool { return e.kind == event.TypeStarted }

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
	live := fails(t, "kioskctl", "events", "verify", "--from", s.bundle("state/kioskd.sock"),
		"--seal", s.path("hub/seal.jwk"), "--certificate", s.bundle("kiosk.pem"))
	if !strings.HasPrefix(live, "events 5 to 7: event is missing\n") {
		t.Errorf("kioskctl events verify prints %q", live)
	}
	h := s.startHub()
	s.tells("new v1 v2 v3 gap(lost 5-7) v7 v8 v9 v10 v11 v12 started", started)

	// The whole file is lost.
	k.stop()
	if err := os.WriteFile(s.outbox(), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	k = spawn(t, "kioskd", "run", "--config", s.config)
	k.await("outbox salvaged")
	k.await("msg=ready")
	s.tells("damaged started", started)
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
	k.await("outbox is gone")
	k.await("msg=ready")
	h = s.startHub()
	s.tells("new started", started)
	k.stop()
	h.stop()
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
	for _, e := range s.events(n + 5) {
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
	if err != nil || len(events) != 2 || cursor != "2" {
		t.Fatalf("%d events, cursor %q, %v", len(events), cursor, err)
	}
	if h, err := event.Peek(events[1]); err != nil || h.Type != event.TypeStarted || strings.Contains(string(events[1]), `"version":`) {
		t.Errorf("the event is %.200s, %v", events[1], err)
	}
	if err := client.AckFeed(ctx, "backend", cursor); err != nil {
		t.Fatal(err)
	}
	if events, _, err = client.Feed(ctx, "backend", 10, 0); err != nil || len(events) != 0 {
		t.Errorf("%d events although all were acknowledged, %v", len(events), err)
	}
	k.stop()
}
