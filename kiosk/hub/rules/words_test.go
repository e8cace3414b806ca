package rules

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

func TestWords(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Parse([]byte(shifts+"[webhook]\nurl = \"http://127.0.0.1:9/a\"\nsecret_file = \"s\"\non_failure = \"allow\"\n"), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`Online, the hub decides about holders of a valid card, in the time of Europe/Oslo:`,
		`- Rule "banned" turns away UN:NO-9578-4050-900000003.`,
		`- Rule "day" lets in holders in trust domain buypass, at kiosk k7 or a kiosk of group workshop, Monday to Friday, 07:00-17:00.`,
		`- Rule "night" lets in UN:NO-9578-4050-900000001, Friday, 22:00-06:00.`,
		`- Rule "guest" lets in UN:NO-9578-4050-900000002, at kiosk k9, from Mon 2026-06-01 00:00 CEST, before Wed 2026-07-01 00:00 CEST.`,
		`- It turns away everybody else.`,
		`- It asks http://127.0.0.1:9/a about each holder whom the rules let in. Without an answer within 1s the holder is let in.`,
	}
	if got := r.Words(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What kiosks do offline is described as it is, and each way in which that is wider than
// the rules gives a warning.
func TestOfflineWords(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Parse([]byte(shifts+"[webhook]\nurl = \"http://127.0.0.1:9/a\"\nsecret_file = \"s\"\non_failure = \"allow\"\n"), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		offline  hubpolicy.OfflineRules
		warnings []hubpolicy.Warning
		want     []string
	}{
		{hubpolicy.OfflineRules{Rule: hubpolicy.Never}, nil, []string{
			`Offline (rule "never" in hub.toml), a kiosk that cannot reach the hub decides by itself:`,
			`- It lets no one in.`,
		}},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 30, PerHolder: 1}, nil, []string{
			`Offline (rule "known" in hub.toml), a kiosk that cannot reach the hub decides by itself:`,
			`- Rule "banned" turns away UN:NO-9578-4050-900000003.`,
			`- Otherwise it lets in holders of a valid card whom the hub has let in there, or at a kiosk of the same group, within the last 30 days.`,
			`- Allow rules and the default are not applied.`,
			`- http://127.0.0.1:9/a is not asked.`,
			`- It lets in one holder at most 1 times a day (UTC) until it reaches the hub again.`,
		}},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, CRLMaxAge: hubpolicy.Duration(48 * time.Hour), PerKiosk: 1}, []hubpolicy.Warning{hubpolicy.WarnDefaultDeny, hubpolicy.WarnWebhook}, []string{
			`Offline (rule "trusted" in hub.toml), a kiosk that cannot reach the hub decides by itself:`,
			`- Rule "banned" turns away UN:NO-9578-4050-900000003.`,
			`- Otherwise it lets in every holder of a valid card.`,
			`- The CRL must not be older than 48h0m0s.`,
			`- Allow rules and the default are not applied.`,
			`- http://127.0.0.1:9/a is not asked.`,
			`- It lets in at most 1 holders in total until it reaches the hub again.`,
		}},
	} {
		if got := r.OfflineWords(tt.offline); !slices.Equal(got, tt.want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
		codes, sentences := r.OfflineWarnings(tt.offline.Rule)
		if !slices.Equal(codes, tt.warnings) || len(sentences) != len(codes) {
			t.Errorf("%s: warnings %q, want %q", tt.offline.Rule, codes, tt.warnings)
		}
	}
}

func TestDecisionWords(t *testing.T) {
	for want, d := range map[string]Decision{
		`Let in by rule "a".`:                                    {Allowed: true, Rule: "a"},
		`Let in by the default: no rule applies.`:                {Allowed: true},
		`Turned away by rule "a" (rule-denied).`:                 {Rule: "a", Reason: kiosk.RuleDenied},
		`Turned away: no rule lets the holder in (not-allowed).`: {Reason: kiosk.NotAllowed},
	} {
		if got := d.Words(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRuleWords(t *testing.T) {
	r := parse(t, `
default = "allow"
timezone = "Europe/Oslo"
[[rule]]
name = "closed"
action = "deny"
from = 2026-12-24T15:30:00
until = 2026-12-26T00:00:00Z
[[rule]]
name = "both"
action = "deny"
subjects = ["local:a", "local:b", "local:c"]
domains = ["x", "y"]
weekdays = ["sat", "mon-tue"]
`)
	want := []string{
		`- Rule "closed" turns away everybody, from Thu 2026-12-24 15:30 CET, before Sat 2026-12-26 00:00 UTC.`,
		`- Rule "both" turns away local:a, local:b or local:c, if in trust domain x or y, Saturday or Monday to Tuesday.`,
		`- It lets in everybody else.`,
	}
	if got := r.Words()[1:]; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
