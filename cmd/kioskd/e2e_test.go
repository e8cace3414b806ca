package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// site is an operator's machine and a kiosk, set up by the programs' own commands.
type site struct {
	t      testing.TB
	dir    string
	config string // kioskd.toml
	panel  string // address

	reviews []event.Review // the hub's reviews, pulled so far
}

func newSite(t testing.TB) *site {
	s := &site{t: t, dir: t.TempDir(), panel: freePort(t)}
	must(t, "smartkortsim", "pki", s.path("pki"))
	must(t, "kioskhub", "init", "--listen", freePort(t), "--trust", s.path("pki"), s.path("hub"))
	s.hubSettings(`rule = "never"`, `rule = "trusted"`) // the tests let kiosks decide offline
	must(t, "kioskhub", "kiosk", "add", "--test-key", "--dir", s.path("hub"), "k1")
	must(t, "kioskhub", "consumer", "add", "--dir", s.path("hub"), "backend")
	s.config = s.path("hub/kiosks/k1/kioskd.toml")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "127.0.0.1:8080", s.panel, 1)
	if changed == string(text) {
		t.Fatalf("the bundle's kioskd.toml has no panel address:\n%s", text)
	}
	if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) startHub() *process {
	h := spawn(s.t, "kioskhub", "serve", "--dir", s.path("hub"))
	h.await("hub ready")
	return h
}

func (s *site) startKiosk(p *person) *process {
	k := spawn(s.t, "kioskd", "run", "--config", s.config)
	k.await("msg=ready")
	ctx, stop := context.WithCancel(context.Background())
	s.t.Cleanup(stop)
	p.look(ctx)
	return k
}

// insert inserts a card into the reader and returns a function that removes it.
func (s *site) insert(card string) (remove func()) {
	sim := spawn(s.t, "smartkortsim", "insert", "--vpcd", pcsctest.Address, "--card", s.path("pki/cards/"+card+".card"))
	return sim.stop
}

// pull pulls events, as a backend does, until it has n outcomes and what was shown of each.
func (s *site) pull(n int) []pulled {
	s.t.Helper()
	url, credentials, err := hub.Consumer(s.path("hub"), "backend")
	if err != nil {
		s.t.Fatal(err)
	}
	client := hubapi.NewClient(url, credentials.TLS)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var all []pulled
	for visits, shown := 0, 0; visits < n || shown < visits; {
		batch, cursor, err := client.Feed(ctx, "backend", 100, 5*time.Second)
		if err != nil {
			s.t.Fatalf("after %d of %d outcomes: %v", visits, n, err)
		}
		for _, raw := range batch {
			var e pulled
			if err := json.Unmarshal(raw, &e); err != nil {
				s.t.Fatal(err)
			}
			if e.Source == event.HubSource {
				s.review(raw)
				continue
			}
			switch all = append(all, e); e.Type {
			case event.TypeVisit:
				visits++
			case event.TypeShown:
				shown++
			}
		}
		if len(batch) > 0 {
			if err := client.AckFeed(ctx, "backend", cursor); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	// Only the hub's reviews may follow.
	s.pullReviews(ctx, client, 0)
	return all
}

// awaitReviews pulls until the hub has sent n reviews.
func (s *site) awaitReviews(n int) {
	s.t.Helper()
	url, credentials, err := hub.Consumer(s.path("hub"), "backend")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	client := hubapi.NewClient(url, credentials.TLS)
	for len(s.reviews) < n {
		s.pullReviews(ctx, client, 5*time.Second)
	}
}

// pullReviews pulls the available events, which must be reviews.
func (s *site) pullReviews(ctx context.Context, client *hubapi.Client, wait time.Duration) {
	s.t.Helper()
	batch, cursor, err := client.Feed(ctx, "backend", 100, wait)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, raw := range batch {
		s.review(raw)
	}
	if err := client.AckFeed(ctx, "backend", cursor); err != nil {
		s.t.Fatal(err)
	}
}

// review keeps a review of the hub: its own verdict on a visit that the kiosk
// decided offline.
func (s *site) review(raw json.RawMessage) {
	s.t.Helper()
	var e struct {
		Source, Type string
		Data         event.Review
	}
	if err := json.Unmarshal(raw, &e); err != nil || e.Source != event.HubSource {
		s.t.Fatalf("unexpected event %s, %v", raw, err)
	}
	if e.Type == event.TypeReview { // and not an alarm about the disk of this machine
		s.reviews = append(s.reviews, e.Data)
	}
}

type pulled struct {
	Source   string `json:"source"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Data     struct {
		event.Visit
		Screen string // of an event.Shown
		Door   bool
	} `json:"data"`
}

// TestEndToEnd checks the main promise on real parts in separate processes: what the
// panel showed is in the feed once, in order and without a gap, whichever process is
// killed.
func TestEndToEnd(t *testing.T) {
	pcscd := pcsctest.Start(t)
	s := newSite(t)
	theHub := s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	p.sees("welcome")

	// The hub grants a visit.
	remove := s.insert("valid")
	p.types("1234#")
	if f := p.sees("granted"); !strings.Contains(f.Heading+f.Text, "Solveig") {
		t.Errorf("the holder is not greeted by name: %+v", f)
	}
	remove()
	p.sees("welcome")

	// No other process can open the outbox.
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	other := s.bundle("other.toml")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), s.panel, freePort(t), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	second := spawn(t, "kioskd", "run", "--config", other)
	second.await("another process has the file open")
	second.signal(syscall.SIGKILL)

	// A wrong PIN, then the right one, of a card that is revoked.
	remove = s.insert("revoked")
	p.types("9999#")
	p.types("1234#")
	p.sees("denied")
	remove()
	p.sees("welcome")

	// pcscd dies and comes back.
	pcscd.Kill()
	p.sees("out-of-service")
	pcscd.Restart(t)
	p.sees("welcome")

	// The hub is killed. The kiosk decides offline.
	theHub.signal(syscall.SIGKILL)
	remove = s.insert("valid")
	p.types("1234#")
	p.sees("granted")
	remove()
	p.sees("welcome")

	// The hub is back and gets the event.
	theHub = s.startHub()
	first := s.pull(3)

	// The kiosk is killed between a verdict and its push. The card is still in when
	// the kiosk is back: a visit begins, and ends when the card is removed.
	theHub.signal(syscall.SIGKILL)
	remove = s.insert("valid")
	p.types("1234#")
	p.sees("granted")
	kiosk.signal(syscall.SIGKILL)
	kiosk = s.startKiosk(p)
	p.sees("pin")
	remove()
	p.sees("welcome")
	remove = s.insert("expired")
	p.sees("denied")
	remove()
	p.sees("welcome")
	theHub = s.startHub()
	events := append(first, s.pull(3)...)

	kiosk.stop()
	theHub.stop()
	var told, shown []string
	reports := map[string]pulled{}
	for i, e := range events {
		if n, err := strconv.Atoi(e.Sequence); err != nil || n != i+1 {
			t.Errorf("event %d has sequence %q", i+1, e.Sequence)
		}
		if e.Type == event.TypeShown {
			reports[e.Data.Visit.Visit] = e
		}
		if e.Type != event.TypeVisit {
			continue
		}
		outcome := string(e.Data.Outcome)
		if outcome != "cancelled" { // the card was removed, which shows no outcome
			shown = append(shown, outcome)
		}
		if e.Data.Offline {
			outcome += " offline"
		}
		told = append(told, outcome)
	}
	if !slices.Equal(shown, p.outcomes) {
		t.Errorf("the feed has %v, but the panel showed %v", shown, p.outcomes)
	}
	for _, e := range events {
		if e.Type != event.TypeVisit {
			continue
		}
		want := string(e.Data.Outcome)
		if want == "cancelled" {
			want = ""
		}
		if r, there := reports[e.Data.Visit.Visit]; !there || r.Data.Screen != want || r.Data.Door != (want == "granted") {
			t.Errorf("of %s was shown %+v", e.Data.Outcome, r.Data)
		}
	}
	for i, r := range s.reviews {
		if !r.Agrees || r.Verdict != "granted" {
			t.Errorf("the hub disagrees with offline verdict %d: %+v", i+1, r)
		}
	}
	want := []string{"granted", "denied", "granted offline", "granted offline", "cancelled", "denied"}
	if !slices.Equal(told, want) {
		t.Errorf("the feed has %q, want %q", told, want)
	}
}
