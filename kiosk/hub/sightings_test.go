package hub

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// instance returns the same kiosk as another start of kioskd, and what the hub has told it
// of a second machine.
func (p *party) instance(url string) (again *party, twin func() string) {
	other := p.to(url)
	var mu sync.Mutex
	var told string
	other.Instance = hubapi.NewInstance()
	other.Twin = func(address string) {
		mu.Lock()
		defer mu.Unlock()
		told = address
	}
	return other, func() string {
		mu.Lock()
		defer mu.Unlock()
		return told
	}
}

// Two machines with one identity: the hub refuses neither, tells both, and tells the
// operator.
func TestTwoMachinesWithOneIdentity(t *testing.T) {
	b := newBed(t)
	_, url := b.servingHub()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	right, toldRight := k1.instance(url)
	copied, toldCopy := k1.instance(url)
	right.nonce()
	b.advance(time.Minute)
	copied.nonce() // this could be a restart
	if toldRight() != "" || toldCopy() != "" {
		t.Errorf("after a restart: %q, %q", toldRight(), toldCopy())
	}
	b.advance(time.Minute)
	right.nonce() // the first one still runs
	copied.nonce()
	if toldRight() != "127.0.0.1" || toldCopy() != "127.0.0.1" {
		t.Errorf("the machines are told %q and %q", toldRight(), toldCopy())
	}
	events, _, err := office.Feed(t.Context(), "office", 10, 10*time.Second)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	var e struct {
		Type string
		Data struct{ Kiosk, Kind string }
	}
	if err := json.Unmarshal(events[0], &e); err != nil || e.Data.Kiosk != "k1" || e.Data.Kind != "twin" {
		t.Errorf("%s, %v", events[0], err)
	}
	// One alarm an hour, however often they alternate.
	for range 20 {
		b.advance(time.Minute)
		right.nonce()
		copied.nonce()
	}
	if events, _, err := office.Feed(t.Context(), "office", 10, 0); err != nil || len(events) != 1 {
		t.Errorf("%d alarms, %v", len(events), err)
	}
}

// What counts as a second machine, and what does not.
func TestSightings(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		steps string // a letter for the instance, - for none; each a minute after the one before, . for a second
		twin  bool
	}{
		"one kiosk":                             {"aaaa", false},
		"restarts":                              {"aabbbccdd", false},
		"a request under way at a restart":      {"aab.ab", false},
		"two machines":                          {"aba", true},
		"two machines, one of them restarted":   {"abcb", true},
		"an older kioskd has no instance":       {"----", false},
		"an update from a version without one":  {"--aa-", false},
		"three machines, seen by turns of two":  {"abcbc", true},
		"a copy that is alone when it is heard": {"aaabbb", false},
	} {
		now, s, found := at, sighting{}, false
		for _, step := range tt.steps {
			if step == '.' {
				now = now.Add(-time.Minute + time.Second)
				continue
			}
			now = now.Add(time.Minute)
			instance := strings.Trim(string(step), "-")
			var twin bool
			s, twin = s.next(now, "hub:8443", "10.0.0.1", instance)
			found = found || twin
		}
		if found != tt.twin {
			t.Errorf("%s: %v", name, found)
		}
	}
}
