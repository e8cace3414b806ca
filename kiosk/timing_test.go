package kiosk_test

import (
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// WCAG 2.2.1: after the warning a person has 20 s for a key, and can extend the time
// ten times before the visit as a whole ends.
func TestTimeToType(t *testing.T) {
	timing := kiosk.DefaultTiming
	if timing.Warning < 20*time.Second {
		t.Errorf("%v from the warning to the end", timing.Warning)
	}
	if entry := timing.PINEntry + timing.Warning; timing.Visit < timing.Reading+10*entry {
		t.Errorf("a visit of %v ends before the %v of PIN entry were taken ten times", timing.Visit, entry)
	}
}

// A challenge that waited as long as possible is still valid when the hub receives
// the token.
func TestChallengeLives(t *testing.T) {
	timing := kiosk.DefaultTiming
	if used := timing.Challenge + timing.Verifying + timing.Signing + timing.Hub + hubapi.VerdictWithin; used >= hubapi.ChallengeLife {
		t.Errorf("a challenge is used after up to %v, and lives %v", used, hubapi.ChallengeLife)
	}
}
