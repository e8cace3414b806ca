package hub

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// A holder whom the hub lets in is known under a pseudonym at the kiosks of the same group,
// and at no other kiosk. A kiosk's events do not make any holder known.
func TestKnown(t *testing.T) {
	b := newBed(t)
	b.setOffline("rule = \"known\"\nknown_days = 30\nuntrusted_clock = \"deny\"\n")
	b.rule("default = \"allow\"\n[groups]\ngate = [\"k1\", \"k2\"]\n[[rule]]\nname = \"no\"\naction = \"deny\"\nsubjects = [\"" + cards(t).Holders["blocked"].Person.ID + "\"]\n")
	url := b.serve()
	k1, k2, k3, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.kiosk(url, "k3"), b.consumer(url, "office")
	for _, card := range []string{"valid", "blocked"} { // the rules turn the second one away
		nonce := k1.nonce()
		k1.verdict(t.Context(), nonce, token(t, card, nonce))
	}
	// A hostile kiosk reports a grant that the hub never gave.
	claimed := offlineVisit(t, b, "blocked")
	claimed.Offline = false
	k1.send(k1.visits(b.now(), claimed, offlineVisit(t, b, "valid")), 2)
	office.reviews(1) // the review of the second event: the hub has processed the first one

	holder := *offlineVisit(t, b, "valid").Holder
	key := b.policy(k1).HolderKey
	want := map[string]int64{hex.EncodeToString(hubpolicy.Pseudonym(key, holder)): hubpolicy.Day(b.now())}
	for who, want := range map[*party]map[string]int64{k1: want, k2: want, k3: {}} {
		days, tag, err := who.Known(t.Context(), "")
		if err != nil || fmt.Sprint(days) != fmt.Sprint(want) {
			t.Errorf("%s gets the known holders %v, %v; want %v", who.id, days, err, want)
		}
		if days, again, err := who.Known(t.Context(), tag); days != nil || again != tag || err != nil {
			t.Errorf("%s asks again: %v, %v", who.id, days, err)
		}
	}
}

// Without the offline rule "known" the hub remembers no holder.
func TestKnownOnlyByRule(t *testing.T) {
	b := newBed(t)
	k1 := b.kiosk(b.serve(), "k1")
	nonce := k1.nonce()
	if v := k1.verdict(t.Context(), nonce, token(t, "valid", nonce)); !v.Granted {
		t.Fatalf("got %+v", v)
	}
	if days, _, err := k1.Known(t.Context(), ""); len(days) != 0 || err != nil {
		t.Errorf("the known holders are %v, %v", days, err)
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
