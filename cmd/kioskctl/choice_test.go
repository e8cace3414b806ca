//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

// TestChoiceExplained checks which certificate a kiosk would use, and the explanations
// for the other certificates and for cards without a usable one.
func TestChoiceExplained(t *testing.T) {
	p := newPKI(t)
	kinds, err := p.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	card := func(name string) *cardsim.Card {
		if k, ok := kinds[name]; ok {
			return k.Card
		}
		return p.Cards[name]
	}
	for _, c := range []struct {
		card, id, why, first, advice, verdict string // first: the verdict on the first certificate
	}{
		{"valid", "45", "buypass-test is the first domain", "accepted by domain buypass-test", "", `a kiosk with these trust domains would use certificate "Authentication" (ID 45)`},
		{cardsim.Mixed, "45", "buypass-test is the first domain", "refused: ", "", "is not proven: run kioskctl card --sign"},
		{"expired", "", "expired", "refused: expired", "expired on", "no kiosk with these trust domains accepts this card"},
		{"revoked", "45", "first domain", "refused: revoked", "is revoked: the holder needs a new card", "but refuse it: revoked"},
		{"blocked", "45", "first domain", "accepted by domain buypass-test", "at the card's issuer: kioskctl cannot do it", `but "PIN" is blocked`},
		{"sign-only", "", "purpose", "refused: purpose", "no certificate is for authentication", "no kiosk with these trust domains accepts this card"},
		{"foreign", "", "no certificate is accepted", "refused: ", "", "no kiosk with these trust domains"},
	} {
		b := newBench(card(c.card), "")
		if err := b.run(t.Context(), []string{"card", "--json", "--trust", filepath.Join(dir, "trust.toml")}); err != nil {
			t.Fatal(err)
		}
		var r cardReport
		if err := json.Unmarshal(b.stdout.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Choice == nil || r.Choice.ID != c.id || !strings.Contains(r.Choice.Why, c.why) {
			t.Errorf("%s: %+v", c.card, r.Choice)
		}
		if !strings.Contains(r.Certificates[0].Verdict, c.first) || !strings.Contains(strings.Join(r.Advice, "\n"), c.advice) || !strings.Contains(r.Verdict, c.verdict) {
			t.Errorf("%s: %s; advice %q; first certificate %s", c.card, r.Verdict, r.Advice, r.Certificates[0].Verdict)
		}
	}
	b := newBench(kinds[cardsim.Mixed].Card, testpki.PIN)
	args := append(tokenArgs("-"), "--trust", filepath.Join(dir, "trust.toml"))
	if err := b.run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	validate(t, p, b.stdout.Bytes())
	// A kiosk that does not know the issuer's certificate reads it from the card.
	older := filepath.Join(dir, "older.toml")
	if err := os.WriteFile(older, []byte("[[domain]]\nname = \"older\"\nanchors = [\"root.pem\"]\npolicies = [\"2.16.578.1.26.1.3.1\"]\nsubject = \"buypass\"\nrevocation = \"none\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = newBench(kinds[cardsim.Mixed].Card, testpki.PIN)
	if err := b.run(t.Context(), append(tokenArgs("-"), "--trust", older)); err != nil {
		t.Error(err)
	}
	b = newBench(kinds[cardsim.Mixed].Card, "")
	if err := b.run(t.Context(), []string{"card", "--trust", filepath.Join(dir, "none.toml")}); err == nil {
		t.Error("a trust configuration that is not there")
	}
}
