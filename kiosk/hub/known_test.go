package hub

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

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
	b.awaitKnown(1)
	pseudonyms := map[string]bool{}
	for who, known := range map[*party]bool{k1: true, k2: true, k3: false} {
		want := map[string]int64{}
		if keys := b.policy(who).Holders; known {
			name := hex.EncodeToString(keys.Pseudonym(hubpolicy.HashHolder(keys.Salt, holder.ID).In(holder.Domain)))
			want[name], pseudonyms[name] = hubpolicy.Day(b.now()), true
		}
		days, tag, err := who.Known(t.Context(), "")
		if err != nil || fmt.Sprint(days) != fmt.Sprint(want) {
			t.Errorf("%s gets the known holders %v, %v; want %v", who.id, days, err, want)
		}
		if days, again, err := who.Known(t.Context(), tag); days != nil || again != tag || err != nil {
			t.Errorf("%s asks again: %v, %v", who.id, days, err)
		}
	}
	if len(pseudonyms) != 2 {
		t.Errorf("two kiosks know the holder by %d pseudonyms", len(pseudonyms))
	}
}

// awaitKnown waits until the hubs have recorded n known holders.
func (b *bed) awaitKnown(n int) {
	b.t.Helper()
	js, err := jetstream.New(b.conn)
	if err != nil {
		b.t.Fatal(err)
	}
	bucket, err := js.KeyValue(b.t.Context(), knownBucket)
	if err != nil {
		b.t.Fatal(err)
	}
	watch, err := bucket.WatchAll(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer watch.Stop()
	for n > 0 {
		select {
		case entry := <-watch.Updates():
			if entry != nil {
				n--
			}
		case <-b.t.Context().Done():
			b.t.Fatal("the hub records no known holder")
		}
	}
}

// Each holder's hash is computed once, by whichever hub needs it first, and read by the
// others. A request for a policy that would need too many of them fails; the policy is not
// made without them.
func TestHolderHashIsComputedOnce(t *testing.T) {
	b := newBed(t)
	first, second := b.open(), b.open()
	h, err := first.holders.hash(t.Context(), "UN:NO-9578-4050-900000001")
	if err != nil || h != hubpolicy.HashHolder(first.holders.salt, "UN:NO-9578-4050-900000001") {
		t.Fatalf("got %x, %v", h, err)
	}
	planted := hubpolicy.HolderHash{1}
	if _, err := first.holders.stored.Put(t.Context(), hex.EncodeToString(first.holders.derive("index", "2")), planted[:]); err != nil {
		t.Fatal(err)
	}
	if got, err := second.holders.hash(t.Context(), "2"); got != planted || err != nil {
		t.Errorf("a hash of another hub: got %x, %v", got, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := second.holders.hash(over, "2"); got != planted || err != nil {
		t.Errorf("a hash in memory: got %x, %v", got, err)
	}
	b.rule("default = \"allow\"\n[[rule]]\nname = \"no\"\naction = \"deny\"\nsubjects = [\"UN:NO-9578-4050-900000003\"]\n")
	third := b.open()
	third.stop()
	third.running.Wait()
	clear(third.holders.hashes)
	if p, err := third.policyFor(over, "k1"); err == nil {
		t.Errorf("without time for a hash the policy has the deny rules %+v", p.Deny)
	}
	if p, err := third.policyFor(t.Context(), "k1"); err != nil || len(p.Deny) != 1 {
		t.Errorf("the policy has the deny rules %+v, %v", p.Deny, err)
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
