package kiosk

import (
	"testing"

	"pgregory.net/rapid"
)

// TestInvariantsOfPhoneLogins checks the invariants from the key that begins a login by
// phone on. The walk of TestInvariants rarely comes far in one.
func TestInvariantsOfPhoneLogins(t *testing.T) {
	reached := map[state]bool{}
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		offer := rapid.SampledFrom([]Environment{Production, Production, Sandbox, ""}).Draw(t, "offer")
		for _, e := range []Event{CardGone{}, ServicesSet{Services{Phone: offer, Choices: []Choice{{"a", map[string]string{"nb": "A"}}, {"b", map[string]string{"nb": "B"}}}}}} {
			w.happen(e)
		}
		for n := range rapid.IntRange(1, 3).Draw(t, "logins") {
			if w.visit.BeginsLogin(KeyPhone) {
				w.happen(LoginWanted{name("p", n)})
			}
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				w.happen(w.event())
				reached[w.visit.state] = reached[w.visit.state] || w.visit.byPhone
			}
			w.ends()
		}
		w.checkOutcomes()
	})
	for _, s := range []state{beginningLogin, waitingForPhone, phoneOpened, enteringDigits, checkingLogin, recording, showing, choosing} {
		if !reached[s] {
			t.Errorf("no random login came to state %d", s)
		}
	}
}
