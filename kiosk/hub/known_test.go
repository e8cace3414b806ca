package hub

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// setOffline changes the offline rules of the hub's folder.
func (b *bed) setOffline(table string) {
	b.t.Helper()
	path := filepath.Join(b.dir, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "[offline]")
	if err := os.WriteFile(path, []byte(before+"[offline]\n"+table), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Whom the hub lets in at one kiosk is known at those of its groups, under a
// pseudonym, and at no other.
func TestKnown(t *testing.T) {
	b := newBed(t)
	b.setOffline("rule = \"known\"\nknown_days = 30\nuntrusted_clock = \"deny\"\n")
	rules := "default = \"allow\"\n[groups]\ngate = [\"k1\", \"k2\"]\n"
	if err := os.WriteFile(filepath.Join(b.dir, rulesFile), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	url := b.serve()
	k1, k2, k3, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.kiosk(url, "k3"), b.consumer(url, "office")
	online, denied, offlineVisit := alone(t, b, "valid"), alone(t, b, "blocked"), alone(t, b, "valid")
	online.Offline, denied.Offline = false, false
	denied.Outcome, denied.Reason = kiosk.Denied, kiosk.RuleDenied
	// The review of the last says that those before were dealt with.
	k1.send(k1.visits(b.now(), online, denied, offlineVisit), 3)
	office.reviews(1)

	key := b.policy(k1).HolderKey
	want := map[string]int64{hex.EncodeToString(hubpolicy.Pseudonym(key, *online.Holder)): hubpolicy.Day(b.now())}
	for who, want := range map[*party]map[string]int64{k1: want, k2: want, k3: {}} {
		days, tag, err := who.Known(t.Context(), "")
		if err != nil || fmt.Sprint(days) != fmt.Sprint(want) {
			t.Errorf("at %s are known %v, %v; want %v", who.id, days, err, want)
		}
		if days, again, err := who.Known(t.Context(), tag); days != nil || again != tag || err != nil {
			t.Errorf("asked %s again: %v, %v", who.id, days, err)
		}
	}
}

// Without the rule nobody is remembered.
func TestKnownOnlyByRule(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	online := alone(t, b, "valid")
	online.Offline = false
	k1.send(k1.visits(b.now(), online, alone(t, b, "valid")), 2)
	office.reviews(1)
	if days, _, err := k1.Known(t.Context(), ""); len(days) != 0 || err != nil {
		t.Errorf("known are %v, %v", days, err)
	}
}

func TestLatest(t *testing.T) {
	days := map[string]int64{}
	for i := range maxKnown + 2 {
		days[fmt.Sprint(i)] = int64(i)
	}
	if got := latest(days); len(got) != maxKnown || got["2"] != 2 || got["1"] != 0 {
		t.Errorf("%d are left", len(got))
	}
}
