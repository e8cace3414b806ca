package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/panel"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// fakePIN is a PIN whose digits appear nowhere else on the page.
const fakePIN = "7391"

var fakeCards = []Card{
	{"valid", "Valid card", "Everything in order: let in."},
	{"expired", "Expired", "Its certificate has run out."},
	{"revoked", "Revoked", "On the issuer's revocation list."},
	{"blocked", "PIN blocked", "No tries left; needs the PUK."},
	{"foreign", "Foreign issuer", "From an issuer that is not trusted here."},
	{"hsm", "HSM policy", "A certificate that lives in no card."},
	{"sign-only", "Signature only", "No certificate to log in with."},
	{"mute", "Reversed", "Put in the wrong way: it stays mute."},
}

// fakeKiosk stands in for the kiosk, the hub and the cards. It plays visits just well
// enough to show the page.
type fakeKiosk struct {
	t     *testing.T
	panel *panel.Panel
	words *screen.Catalogue

	other chan rune // keys for speech

	mu       sync.Mutex
	shown    kiosk.Screen
	typed    string
	inserted string
	hub      bool
	phone    string
	events   []json.RawMessage
	changed  chan struct{}
}

// serveFake serves the page over a fake kiosk until the test ends.
func serveFake(t *testing.T, wrap func(http.Handler) http.Handler) (*fakeKiosk, string) {
	t.Helper()
	words, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKiosk{t: t, panel: panel.New(), words: words, hub: true, changed: make(chan struct{}), other: make(chan rune, 2)}
	k.show(kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"})
	h := Handler(k, k.panel)
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewUnstartedServer(h)
	ctx, cancel := context.WithCancel(context.Background())
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case key := <-k.panel.Keys():
				k.key(key)
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		server.Close()
		reading.Wait()
	})
	return k, server.URL
}

// show needs mu, except before the kiosk is shared.
func (k *fakeKiosk) show(s kiosk.Screen) {
	if s.Language == "" {
		s.Language = k.shown.Language
	}
	k.shown = s
	k.panel.Show(panel.Frame(k.words.Frame(s)))
}

func (k *fakeKiosk) key(key rune) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shown
	switch {
	case key == 'R', key == 'V':
		k.other <- key
		return
	case key == 'L' || key == '*' && s.ID == kiosk.ScreenWelcome:
		s.Language = k.words.Next(s.Language)
	case s.ID != kiosk.ScreenPIN:
		return
	case key == '#':
		k.judge()
		return
	case key == '*' && k.typed == "":
		s = kiosk.Screen{ID: kiosk.ScreenCancelled, Language: s.Language}
		k.record("cancelled", "by-holder")
	case key == '*':
		k.typed = ""
	default:
		k.typed += string(key)
	}
	s.Typed = len(k.typed)
	k.show(s)
}

// judge needs mu.
func (k *fakeKiosk) judge() {
	right := k.typed == fakePIN
	k.typed = ""
	switch {
	case !right:
		k.panel.Cue("attention")
		k.show(kiosk.Screen{ID: kiosk.ScreenPIN, WrongPIN: true, Tries: 2, TriesKnown: true})
	case k.inserted == "revoked":
		k.record("denied", "revoked")
		k.panel.Cue("denied")
		k.show(kiosk.Screen{ID: kiosk.ScreenDenied, Reason: kiosk.Revoked})
	default:
		k.record("granted", "")
		k.panel.Cue("granted")
		k.show(kiosk.Screen{ID: kiosk.ScreenGranted, Name: "Kari Nordmann", Offline: !k.hub})
	}
}

// record needs mu.
func (k *fakeKiosk) record(outcome, reason string) {
	type fields = map[string]any
	data := fields{"visit": fmt.Sprintf("visit-%d", len(k.events)), "outcome": outcome, "authenticated": outcome == "granted"}
	if reason != "" {
		data["reason"] = reason
	}
	if outcome == "granted" || reason == "revoked" {
		data["holder"] = fields{"id": "UN:NO-9578-4050-100001", "name": "Kari Nordmann"}
	}
	if !k.hub {
		data["offline"] = true
	}
	event, err := json.MarshalIndent(fields{
		"specversion": "1.0",
		"id":          fmt.Sprintf("0199a5e2-0000-7000-8000-%012d", len(k.events)),
		"source":      "urn:smartkiosk:kiosk:demo",
		"type":        "smartkiosk.visit.v1",
		"time":        time.Date(2026, 11, 22, 12, 0, 5*len(k.events), 0, time.UTC),
		"sequence":    fmt.Sprintf("%020d", len(k.events)+2),
		"data":        data,
	}, "", "  ")
	if err != nil {
		k.t.Error(err)
	}
	k.events = append(k.events, event)
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *fakeKiosk) Cards() []Card { return fakeCards }

func (k *fakeKiosk) Inserted() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.inserted
}

func (k *fakeKiosk) Insert(name string) error {
	if !slices.ContainsFunc(fakeCards, func(c Card) bool { return c.Name == name }) {
		return errors.New("there is no such card")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inserted = name
	switch name {
	case "expired":
		k.record("denied", "expired")
		k.show(kiosk.Screen{ID: kiosk.ScreenDenied, Reason: kiosk.Expired})
	case "mute":
		k.record("failed", "card-mute")
		k.show(kiosk.Screen{ID: kiosk.ScreenFailed, Reason: kiosk.CardMute})
	default:
		k.show(kiosk.Screen{ID: kiosk.ScreenPIN})
	}
	return nil
}

func (k *fakeKiosk) Remove() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inserted, k.typed = "", ""
	k.show(kiosk.Screen{ID: kiosk.ScreenWelcome})
}

func (k *fakeKiosk) PhonePage() (string, <-chan struct{}) { return k.phone, nil }

func (k *fakeKiosk) HubReachable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hub
}

func (k *fakeKiosk) SetHubReachable(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hub = on
}

func (k *fakeKiosk) Feed(ctx context.Context) <-chan json.RawMessage {
	feed := make(chan json.RawMessage)
	go func() {
		defer close(feed)
		for sent := 0; ; {
			k.mu.Lock()
			events, changed := k.events, k.changed
			k.mu.Unlock()
			for ; sent < len(events); sent++ {
				select {
				case feed <- events[sent]:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return feed
}
