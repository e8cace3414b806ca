package hub

import (
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

func TestChallenge(t *testing.T) {
	b := newBed(t)
	k1 := b.kiosk(b.serve(), "k1")
	seen := map[string]bool{}
	for range 20 {
		before := b.now()
		c, err := k1.Challenge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(c.Nonce)
		if err != nil || len(raw) != 32 {
			t.Errorf("nonce %q is not 32 bytes as base64", c.Nonce)
		}
		if life := c.ExpiresAt.Sub(before); life < 5*time.Minute || life > 5*time.Minute+time.Second*5 {
			t.Errorf("the challenge lives %v", life)
		}
		if seen[c.Nonce] {
			t.Errorf("nonce %q came twice", c.Nonce)
		}
		seen[c.Nonce] = true
	}
}

// spent spends a nonce and returns the reason.
func spent(t *testing.T, h *Hub, nonce, kioskID string) kiosk.Reason {
	t.Helper()
	reason, err := h.spend(t.Context(), nonce, kioskID, "v")
	if err != nil {
		t.Fatal(err)
	}
	return reason
}

func newNonce(t *testing.T, h *Hub, kioskID string) string {
	t.Helper()
	c, err := h.newChallenge(t.Context(), kioskID)
	if err != nil {
		t.Fatal(err)
	}
	return c.Nonce
}

// Every hub returns the same reason for what happened to a nonce.
func TestSpend(t *testing.T) {
	b := newBed(t)
	one, other := b.open(), b.open()
	n := newNonce(t, one, "k1")
	for _, step := range []struct {
		what    string
		hub     *Hub
		nonce   string
		kiosk   string
		advance time.Duration
		want    kiosk.Reason
	}{
		{"of another kiosk", other, n, "k2", 0, kiosk.NonceForeign},
		{"at the other hub, not spent by k2's try", other, n, "k1", 0, ""},
		{"again where it was made", one, n, "k1", 0, kiosk.NonceUsed},
		{"again at the other hub", other, n, "k1", 0, kiosk.NonceUsed},
		{"used, and of another kiosk", other, n, "k2", 0, kiosk.NonceForeign},
		{"used, and expired since", other, n, "k1", hubapi.ChallengeLife, kiosk.NonceUsed},
		{"a moment before it expires", one, newNonce(t, other, "k1"), "k1", hubapi.ChallengeLife - time.Minute, ""},
		{"just expired", one, newNonce(t, other, "k1"), "k1", hubapi.ChallengeLife, kiosk.NonceExpired},
		{"never made", one, base64.StdEncoding.EncodeToString(make([]byte, 32)), "k1", 0, kiosk.NonceUnknown},
		{"too short", one, base64.StdEncoding.EncodeToString(make([]byte, 31)), "k1", 0, kiosk.NonceUnknown},
		{"too long", one, base64.StdEncoding.EncodeToString(make([]byte, 33)), "k1", 0, kiosk.NonceUnknown},
		{"empty", one, "", "k1", 0, kiosk.NonceUnknown},
		{"no base64", one, "smartkiosk.challenges.*>", "k1", 0, kiosk.NonceUnknown},
		{"base64url", one, "_" + n[1:], "k1", 0, kiosk.NonceUnknown},
		{"with a line break", one, n[:20] + "\n" + n[20:], "k1", 0, kiosk.NonceUnknown},
	} {
		b.advance(step.advance)
		if got := spent(t, step.hub, step.nonce, step.kiosk); got != step.want {
			t.Errorf("%s: got %q, want %q", step.what, got, step.want)
		}
		b.advance(-step.advance)
	}
}

// If many requests spend one nonce at two hubs at the same time, one succeeds.
func TestSpendOnce(t *testing.T) {
	b := newBed(t)
	hubs := []*Hub{b.open(), b.open()}
	const rounds, tries = 10, 16
	for range rounds {
		nonce := newNonce(t, hubs[0], "k1")
		var start, done sync.WaitGroup
		start.Add(1)
		reasons := make([]kiosk.Reason, tries)
		for i := range reasons {
			done.Go(func() {
				start.Wait()
				reason, err := hubs[i%2].spend(t.Context(), nonce, "k1", "v")
				if err != nil {
					reason = kiosk.Reason(err.Error())
				}
				reasons[i] = reason
			})
		}
		start.Done()
		done.Wait()
		got := map[kiosk.Reason]int{}
		for _, reason := range reasons {
			got[reason]++
		}
		if got[""] != 1 || got[kiosk.NonceUsed] != tries-1 {
			t.Fatalf("got %v", got)
		}
	}
}

// No text that a kiosk makes up is a valid nonce.
func FuzzSpend(f *testing.F) {
	h := newBed(f).open()
	for _, seed := range []string{"", "*", ">", "a.b", "....", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, nonce string) {
		if reason, err := h.spend(t.Context(), nonce, "k1", "v"); reason != kiosk.NonceUnknown || err != nil {
			t.Errorf("%q: got %q, %v", nonce, reason, err)
		}
	})
}
