package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestByTheHub(t *testing.T) {
	at := time.Date(2026, 11, 22, 13, 0, 0, 0, time.FixedZone("", 3600))
	text, err := ByTheHub("id-1", TypeReview, at, Review{Kiosk: "k1", Agrees: true, Verdict: "granted", Outcome: "granted"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got["source"] != HubSource || got["time"] != "2026-11-22T12:00:00.000Z" || got["type"] != TypeReview || got["id"] != "id-1" {
		t.Errorf("made %s", text)
	}
	if _, err := ByTheHub("id-1", TypeVisit, at, Visit{}); err == nil {
		t.Error("a hub may write a kiosk's event")
	}
	if _, err := ByTheHub("id-1", TypeReview, at, Visit{}); err == nil {
		t.Error("a hub may write a review with the payload of a visit")
	}
}

// A kiosk cannot write an event of a type that only hubs write.
func TestKioskWritesNoReview(t *testing.T) {
	sealed := forge(t, func(f *forgery) {
		f.signed = strings.Replace(f.signed, TypeVisit, TypeReview, 1)
		f.event = func(e map[string]any) { e["type"] = TypeReview }
	})
	if _, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey); !errors.Is(err, ErrMalformed) {
		t.Errorf("opened a kiosk's review: %v", err)
	}
	if _, _, err := sealer(t).Seal(Header{Type: TypeReview}, Review{}); err == nil {
		t.Error("a kiosk may seal a review")
	}
}
