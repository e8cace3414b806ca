package kiosk_test

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// If a card states no limits, the kiosk accepts PINs of 4 to MaxPINDigits digits.
func TestPINWithoutLimits(t *testing.T) {
	for digits, sent := range map[int]bool{3: false, 4: true, 16: true, kiosk.MaxPINDigits: true, kiosk.MaxPINDigits + 1: false} {
		v := kiosk.New(kiosk.Config{Languages: []string{"nb"}, Timing: kiosk.DefaultTiming})
		events := []kiosk.Event{kiosk.CardGone{}, kiosk.CardInserted{Visit: "v"}, kiosk.CardRead{Visit: "v"}}
		for range digits {
			events = append(events, kiosk.KeyPressed{Key: '1'})
		}
		var effects []kiosk.Effect
		for _, e := range append(events, kiosk.KeyPressed{Key: kiosk.KeyOK}) {
			v, effects = v.Step(e)
		}
		found := false
		for _, e := range effects {
			if verify, ok := e.(kiosk.VerifyPIN); ok {
				found = verify.PIN.Len() == digits
			}
		}
		if found != sent {
			t.Errorf("%d digits: sent %v", digits, found)
		}
	}
}

// The language of a visit that was not granted stays for its person only. The next
// person, whose card cannot be read while the outbox is full, leaves no language behind.
func TestLanguageStaysOnce(t *testing.T) {
	v := kiosk.New(kiosk.Config{Languages: []string{"nb", "en"}, Timing: kiosk.DefaultTiming})
	tr := trace{visit: v, serials: map[kiosk.Timer]int{}}
	for _, e := range []kiosk.Event{
		kiosk.CardGone{}, kiosk.KeyPressed{Key: kiosk.KeyLanguage},
		kiosk.CardInserted{Visit: "v"}, kiosk.CardFailed{Visit: "v", Reason: kiosk.CardUnreadable}, kiosk.Recorded{Visit: "v"}, kiosk.CardGone{},
	} {
		tr.step(e)
	}
	if l := tr.visit.Screen().Language; l != "en" {
		t.Fatalf("after a visit that failed the language is %s", l)
	}
	tr.step(kiosk.RoomEnds{})
	tr.step(kiosk.CardInserted{Visit: "w"})
	tr.step(kiosk.CardGone{})
	if l := tr.visit.Screen().Language; l != "nb" {
		t.Errorf("after a card that began no visit the language is %s", l)
	}
}

// The kiosk still asks the person to take a card that was left in when no further
// visit may begin. It goes out of service when the card is taken.
func TestRoomEndsWithCardLeftIn(t *testing.T) {
	v := kiosk.New(kiosk.Config{Languages: []string{"nb"}, Timing: kiosk.DefaultTiming})
	tr := trace{visit: v, serials: map[kiosk.Timer]int{}}
	for _, e := range []kiosk.Event{
		kiosk.CardGone{}, kiosk.CardInserted{Visit: "v"}, kiosk.CardRead{Visit: "v"},
		kiosk.KeyPressed{Key: kiosk.KeyCorrect}, kiosk.KeyPressed{Key: kiosk.KeyOK}, kiosk.Recorded{Visit: "v"},
	} {
		tr.step(e)
	}
	tr.step(kiosk.Elapsed{Timer: kiosk.TimerState, Serial: tr.serials[kiosk.TimerState]})
	tr.step(kiosk.RoomEnds{})
	if s := tr.visit.Screen().ID; s != kiosk.ScreenRemoveCard {
		t.Errorf("with the card left in the screen is %s", s)
	}
	tr.step(kiosk.CardGone{})
	if s := tr.visit.Screen(); s.ID != kiosk.ScreenOutOfService || s.Reason != kiosk.OutboxFull {
		t.Errorf("with the card gone the screen is %+v", s)
	}
	tr.step(kiosk.RoomAgain{})
	if s := tr.visit.Screen().ID; s != kiosk.ScreenWelcome {
		t.Errorf("with room again the screen is %s", s)
	}
}

// TestVisitEndsAtLast extends a visit as often as possible. WCAG 2.2.1 asks for ten
// times; a key that bounces must not hold the kiosk for ever.
func TestVisitEndsAtLast(t *testing.T) {
	tr := newTrace()
	for _, e := range []kiosk.Event{
		kiosk.CardGone{}, kiosk.CardInserted{Visit: "v"}, kiosk.CardRead{Visit: "v", Holder: kari, PIN: kiosk.PINStatus{Tries: 3, TriesKnown: true}},
	} {
		tr.step(e)
	}
	elapsed := func() kiosk.Event {
		return kiosk.Elapsed{Timer: kiosk.TimerVisit, Serial: tr.serials[kiosk.TimerVisit]}
	}
	for n := range 10 {
		tr.step(elapsed())
		if s := tr.visit.Screen(); !s.TimeShort {
			t.Fatalf("extension %d: shows %+v", n+1, s)
		}
		tr.step(kiosk.KeyPressed{Key: kiosk.KeyOK})
	}
	var ended bool
	for _, e := range tr.step(elapsed()) {
		if r, ok := e.(kiosk.Record); ok {
			ended = r.Outcome == kiosk.TimedOut && r.Reason == kiosk.VisitTimeout
		}
	}
	if !ended {
		t.Error("the visit does not end after ten extensions")
	}
}

// TestNames checks the name that bystanders can read: shortened, unless the
// configuration says otherwise, and gone with the card.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		full       bool
	}{
		{"Kari Nordmann", "Kari N.", false},
		{"Kari Anne Østby-Ås", "Kari Ø.", false},
		{"Kari", "Kari", false},
		{"", "", false},
		{"Kari Nordmann", "Kari Nordmann", true},
	} {
		v := kiosk.New(kiosk.Config{Languages: []string{"nb"}, Timing: kiosk.DefaultTiming, FullNames: tt.full})
		for _, e := range []kiosk.Event{
			kiosk.CardGone{}, kiosk.CardInserted{Visit: "v"}, kiosk.CardRead{Visit: "v"}, kiosk.KeyPressed{Key: '1'}, kiosk.KeyPressed{Key: '2'},
			kiosk.KeyPressed{Key: '3'}, kiosk.KeyPressed{Key: '4'}, kiosk.KeyPressed{Key: kiosk.KeyOK}, kiosk.ChallengeReady{Visit: "v", Question: 1, Nonce: "n"},
			kiosk.PINAccepted{Visit: "v"}, kiosk.Signed{Visit: "v", Nonce: "n", Token: []byte("t")},
			kiosk.Decided{Visit: "v", Question: 2, Verdict: kiosk.Verdict{Granted: true, Holder: kiosk.Holder{ID: "x", Name: tt.name}}}, kiosk.Recorded{Visit: "v"},
		} {
			v, _ = v.Step(e)
		}
		if s := v.Screen(); s.ID != kiosk.ScreenGranted || s.Name != tt.want {
			t.Errorf("%q, whole %v: shows %q on %s, want %q", tt.name, tt.full, s.Name, s.ID, tt.want)
		}
		if v, _ = v.Step(kiosk.CardGone{}); v.Screen().Name != "" {
			t.Errorf("%q is still shown without the card", tt.name)
		}
	}
}

// The late answer to an earlier question of the same visit is ignored. Otherwise a request
// that fails long after it was repeated would let the kiosk decide in the hub's place.
func TestLateAnswers(t *testing.T) {
	tr := newTrace()
	var effects []kiosk.Effect
	does := func(script string) {
		t.Helper()
		for line := range strings.Lines(script) {
			events, err := tr.parse(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				effects = tr.step(e)
			}
		}
	}
	ignores := func(e kiosk.Event) {
		t.Helper()
		if got := tr.step(e); len(got) > 0 {
			t.Errorf("%T{%+v} has the effects %v", e, e, got)
		}
	}
	does("gone\ninserted v1\nread v1 tries 3")
	first := tr.question
	does("elapsed challenge")
	if tr.question == first {
		t.Fatal("the challenge is not asked for again")
	}
	does("keys 1234#\npin-accepted v1")
	ignores(kiosk.ChallengeReady{Visit: "v1", Question: first, Nonce: "old"})
	ignores(kiosk.HubFailed{Visit: "v1", Question: first, Reason: kiosk.HubRefused})
	does("challenge v1 new\nsigned v1 new")
	ignores(kiosk.HubUnreachable{Visit: "v1", Question: first})
	ignores(kiosk.Decided{Visit: "v1", Question: first, Verdict: kiosk.Verdict{Granted: true}})
	does("hub-unreachable v1")
	if _, decides := effects[0].(kiosk.DecideOffline); !decides {
		t.Errorf("the answer in time has the effects %v", effects)
	}
	ignores(kiosk.Decided{Visit: "v1", Question: tr.question - 1, Verdict: kiosk.Verdict{Granted: true}})
}
