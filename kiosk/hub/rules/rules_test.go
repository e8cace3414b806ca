package rules

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

const (
	kari = "UN:NO-9578-4050-900000001"
	ola  = "UN:NO-9578-4050-900000002"
)

func parse(t testing.TB, text string) *Rules {
	t.Helper()
	r, err := Parse([]byte(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at reads a time in Oslo.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

const shifts = `
default = "deny"
timezone = "Europe/Oslo"

[groups]
workshop = ["k1", "k2"]

[[rule]]
name = "day"
action = "allow"
domains = ["buypass"]
groups = ["workshop"]
kiosks = ["k7"]
weekdays = ["mon-fri"]
hours = ["07:00-17:00"]

[[rule]]
name = "night"
action = "allow"
subjects = ["UN:NO-9578-4050-900000001"]
weekdays = ["fri"]
hours = ["22:00-06:00"]

[[rule]]
name = "guest"
action = "allow"
subjects = ["UN:NO-9578-4050-900000002"]
kiosks = ["k9"]
from = 2026-06-01
until = 2026-06-30

[[rule]]
name = "banned"
action = "deny"
subjects = ["UN:NO-9578-4050-900000003"]
`

func TestDecide(t *testing.T) {
	allowed := func(rule string) Decision { return Decision{Allowed: true, Rule: rule} }
	denied := func(reason kiosk.Reason) Decision { return Decision{Reason: reason} }
	const banned = "UN:NO-9578-4050-900000003"
	r := parse(t, shifts)
	for _, tt := range []struct {
		about, subject, domain, kiosk, at string
		want                              Decision
	}{
		// 2026-11-23 is a Monday.
		{"a member of the group at its hour", ola, "buypass", "k2", "2026-11-23 07:00", allowed("day")},
		{"a kiosk outside the group", ola, "buypass", "k7", "2026-11-23 12:00", allowed("day")},
		{"the minute before", ola, "buypass", "k2", "2026-11-23 06:59", denied(kiosk.OutsideHours)},
		{"the last minute", ola, "buypass", "k2", "2026-11-23 16:59", allowed("day")},
		{"the minute after", ola, "buypass", "k2", "2026-11-23 17:00", denied(kiosk.OutsideHours)},
		{"on a Sunday", ola, "buypass", "k2", "2026-11-22 12:00", denied(kiosk.OutsideHours)},
		{"another domain", ola, "local", "k2", "2026-11-23 12:00", denied(kiosk.NotAllowed)},
		{"another kiosk", ola, "buypass", "k3", "2026-11-23 12:00", denied(kiosk.NotAllowed)},

		{"Friday night", kari, "x", "k3", "2026-11-27 22:00", allowed("night")},
		{"the morning after", kari, "x", "k3", "2026-11-28 05:59", allowed("night")},
		{"when that is over", kari, "x", "k3", "2026-11-28 06:00", denied(kiosk.OutsideHours)},
		{"Friday morning, of Thursday's night", kari, "x", "k3", "2026-11-27 05:00", denied(kiosk.OutsideHours)},
		{"somebody else at night", ola, "x", "k3", "2026-11-27 23:00", denied(kiosk.NotAllowed)},

		{"a guest the day before", ola, "x", "k9", "2026-05-31 23:59", denied(kiosk.NotAllowed)},
		{"a guest on the first day", ola, "x", "k9", "2026-06-01 00:00", allowed("guest")},
		{"a guest on the last day", ola, "x", "k9", "2026-06-30 23:59", allowed("guest")},
		{"a guest the day after", ola, "x", "k9", "2026-07-01 00:00", denied(kiosk.NotAllowed)},

		{"denied although another rule allows", banned, "buypass", "k1", "2026-11-23 12:00", Decision{Reason: kiosk.RuleDenied, Rule: "banned"}},
	} {
		got := r.Decide(Case{tt.subject, tt.domain, tt.kiosk, at(t, tt.at)})
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.about, got, tt.want)
		}
	}
}

// Hours are local time in the rules' time zone, in summer and in winter, whatever the
// hub's own zone is.
func TestHoursAreLocalTime(t *testing.T) {
	r := parse(t, shifts)
	for text, want := range map[string]bool{
		"2026-07-01T05:00:00Z": true, // 07:00 in summer
		"2026-07-01T04:59:00Z": false,
		"2026-12-01T06:00:00Z": true, // 07:00 in winter
		"2026-12-01T05:59:00Z": false,
	} {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Decide(Case{ola, "buypass", "k1", when}); got.Allowed != want {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestDefault(t *testing.T) {
	visit := Case{kari, "buypass", "k1", at(t, "2026-11-23 12:00")}
	if got := parse(t, `default = "allow"`).Decide(visit); got != (Decision{Allowed: true}) {
		t.Errorf("allow: got %+v", got)
	}
	if got := parse(t, `default = "deny"`).Decide(visit); got != (Decision{Reason: kiosk.NotAllowed}) {
		t.Errorf("deny: got %+v", got)
	}
	but := parse(t, "default = \"allow\"\n[[rule]]\nname = \"closed\"\naction = \"deny\"\nkiosks = [\"k1\"]")
	if got := but.Decide(visit); got != (Decision{Reason: kiosk.RuleDenied, Rule: "closed"}) {
		t.Errorf("default allow with a deny rule: got %+v", got)
	}
}

// A deny rule wins over all allow rules, whatever their order.
func TestDenyBeatsAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		var text strings.Builder
		text.WriteString("default = \"" + rapid.SampledFrom([]string{"allow", "deny"}).Draw(t, "default") + "\"\n")
		deniedAt := map[string]bool{}
		for _, name := range rapid.Permutation(names).Draw(t, "order") {
			action := rapid.SampledFrom([]string{"allow", "deny"}).Draw(t, "action")
			kiosks := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"k1", "k2", "k3"}), 1, 3, rapid.ID).Draw(t, "kiosks")
			text.WriteString("[[rule]]\nname = \"" + name + "\"\naction = \"" + action + "\"\nkiosks = [\"" + strings.Join(kiosks, `", "`) + "\"]\n")
			for _, k := range kiosks {
				deniedAt[k] = deniedAt[k] || action == "deny"
			}
		}
		r, err := Parse([]byte(text.String()), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"k1", "k2", "k3"} {
			if d := r.Decide(Case{kari, "buypass", k, time.Unix(0, 0)}); deniedAt[k] != (d.Reason == kiosk.RuleDenied) || deniedAt[k] && d.Allowed {
				t.Errorf("%s: got %+v of\n%s", k, d, &text)
			}
		}
	})
}

// Each file of the table has one error.
func TestParseRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.secret":  "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n",
		"short.secret": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)),
		"plain.secret": base64.StdEncoding.EncodeToString(make([]byte, 32)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const hook = `
[webhook]
url = "https://door.example/admission"
secret_file = "good.secret"
on_failure = "deny"
`
	whole := shifts + hook
	if _, err := Parse([]byte(whole), dir); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"no TOML", `default = `, `default : `, "expected '='"},
		{"no default", `default = "deny"`, ``, `default = "": write "allow" or "deny"`},
		{"another default", `default = "deny"`, `default = "Deny"`, `default = "Deny": write`},
		{"an unknown key", `domains = `, `domain = `, "unknown key"},
		{"no timezone", `timezone = "Europe/Oslo"`, ``, `rule 1 "day": timezone is missing`},
		{"an unknown timezone", `Europe/Oslo`, `Europe/Olso`, `timezone = "Europe/Olso" is unknown`},
		{"a timezone of the machine", `Europe/Oslo`, `Local`, `timezone = "Local" is unknown`},
		{"a group without kiosks", `workshop = ["k1", "k2"]`, `workshop = []`, `group "workshop" has no kiosks`},
		{"a group with a kiosk twice", `workshop = ["k1", "k2"]`, `workshop = ["k1", "k1"]`, `"k1" occurs twice`},
		{"a group with a bad kiosk name", `workshop = ["k1", "k2"]`, `workshop = ["K 1"]`, `"K 1": it must consist of lower-case letters`},
		{"no such group", `groups = ["workshop"]`, `groups = ["worksop"]`, `groups: "worksop": [groups] has no such group`},
		{"a rule without name", `name = "night"`, ``, `rule 2 "": the name must`},
		{"two rules with one name", `name = "night"`, `name = "day"`, `rule 2 "day": two rules have this name`},
		{"no action", "name = \"night\"\naction = \"allow\"", `name = "night"`, `rule 2 "night": action = ""`},
		{"a rule about everybody", `subjects = ["UN:NO-9578-4050-900000003"]`, ``, `rule 4 "banned": it applies to everybody`},
		{"an empty list", `domains = ["buypass"]`, `domains = []`, `domains is empty`},
		{"the older form of a subject", `UN:NO-9578-4050-900000003`, `9578-4050-900000003`, `no holder has such an identifier`},
		{"a bare number", `UN:NO-9578-4050-900000003`, `900000003`, `no holder has such an identifier`},
		{"a person's name", `UN:NO-9578-4050-900000003`, `Kari Prøve`, `no holder has such an identifier`},
		{"an unknown day", `weekdays = ["fri"]`, `weekdays = ["friday"]`, `weekdays: "friday" is not a day`},
		{"a range of one day", `weekdays = ["fri"]`, `weekdays = ["fri-fri"]`, `weekdays: "fri-fri" is not a day`},
		{"a day twice", `weekdays = ["fri"]`, `weekdays = ["fri", "thu-sat"]`, `names a day twice`},
		{"hours without minutes", `07:00-17:00`, `7-17`, `hours: "7-17" does not have the form`},
		{"hours past midnight", `07:00-17:00`, `07:00-24:30`, `goes past 24:00`},
		{"empty hours", `07:00-17:00`, `07:00-07:00`, `is empty`},
		{"a date in quotes", `from = 2026-06-01`, `from = "2026-06-01"`, `from: it is not a date or time: write it without quotes`},
		{"an impossible date", `from = 2026-06-01`, `from = 2026-06-31`, `impossible date`},
		{"an end before the begin", `until = 2026-06-30`, `until = 2026-05-31`, `until is not after from`},
		{"a webhook without TLS", `https://door`, `http://door`, `webhook: url = "http://door.example/admission" is not an https URL`},
		{"a webhook with a password in it", `https://door`, `https://a:b@door`, `is not an https URL`},
		{"a webhook without on_failure", `on_failure = "deny"`, ``, `webhook: on_failure = "": write`},
		{"a webhook without secret", `secret_file = "good.secret"`, ``, `webhook: secret_file is missing`},
		{"a secret file that does not exist", `good.secret`, `absent.secret`, `absent.secret: no such file`},
		{"a secret too short", `good.secret`, `short.secret`, `does not hold whsec_ and 24 to 64 bytes`},
		{"a secret without prefix", `good.secret`, `plain.secret`, `does not hold whsec_`},
		{"a webhook with a long timeout", `on_failure = "deny"`, "on_failure = \"deny\"\ntimeout = \"2s\"", `timeout = "2s" must be more than 0 and at most 1.5s`},
	} {
		text := strings.Replace(whole, tt.old, tt.new, 1)
		if text == whole {
			t.Fatalf("%s: nothing was changed", tt.name)
		}
		if _, err := Parse([]byte(text), dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := Parse(make([]byte, MaxFile+1), dir); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("a file too long: got %v", err)
	}
}

// The webhook must answer before the kiosk stops waiting for the hub.
func TestWebhookIsQuickerThanTheKiosk(t *testing.T) {
	if maxTimeout >= kiosk.DefaultTiming.Hub {
		t.Errorf("a webhook may take %s, but a kiosk waits %s", maxTimeout, kiosk.DefaultTiming.Hub)
	}
}

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

// Parse refuses a file, or the rules can decide and describe themselves.
func FuzzParse(f *testing.F) {
	f.Add([]byte(shifts))
	f.Add([]byte(`default = "allow"`))
	f.Add([]byte("default = \"deny\"\n[[rule]]\nname=\"a\"\naction=\"deny\"\nfrom=2026-01-01T00:00:00Z\nuntil=2026-01-01T00:00:01"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text, dir)
		if err != nil {
			return
		}
		d := r.Decide(Case{kari, "buypass", "k1", time.Unix(1_800_000_000, 0)})
		if d.Allowed != (d.Reason == "") {
			t.Errorf("got %+v", d)
		}
		if len(r.Words()) < r.Len()+2 || d.Words() == "" {
			t.Errorf("got %q", r.Words())
		}
	})
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
		{hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 30, PerHolder: 2}, nil, []string{
			`Offline (rule "known" in hub.toml), a kiosk that cannot reach the hub decides by itself:`,
			`- Rule "banned" turns away UN:NO-9578-4050-900000003.`,
			`- Otherwise it lets in holders of a valid card whom the hub has let in there, or at a kiosk of the same group, within the last 30 days.`,
			`- Allow rules and the default are not applied.`,
			`- http://127.0.0.1:9/a is not asked.`,
			`- It lets in one holder at most 2 times a day (UTC) until it reaches the hub again.`,
		}},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, CRLMaxAge: hubpolicy.Duration(48 * time.Hour), PerKiosk: 9}, []hubpolicy.Warning{hubpolicy.WarnDefaultDeny, hubpolicy.WarnWebhook}, []string{
			`Offline (rule "trusted" in hub.toml), a kiosk that cannot reach the hub decides by itself:`,
			`- Rule "banned" turns away UN:NO-9578-4050-900000003.`,
			`- Otherwise it lets in every holder of a valid card.`,
			`- The CRL must not be older than 48h0m0s.`,
			`- Allow rules and the default are not applied.`,
			`- http://127.0.0.1:9/a is not asked.`,
			`- It lets in at most 9 holders in total until it reaches the hub again.`,
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

// Deny rules that name more holders than a policy holds do not travel, and that gives a
// warning.
func TestTooManyDeniedHolders(t *testing.T) {
	var text strings.Builder
	text.WriteString("default = \"allow\"\n[[rule]]\nname = \"few\"\naction = \"deny\"\nsubjects = [\"local:x\"]\n[[rule]]\nname = \"many\"\naction = \"deny\"\nsubjects = [")
	for i := range hubpolicy.MaxDenySubjects {
		fmt.Fprintf(&text, "%q,", fmt.Sprintf("local:%d", i))
	}
	text.WriteString("]\n")
	r := parse(t, text.String())
	deny, missing := r.DenyAt("k1", strings.Clone)
	codes, _ := r.OfflineWarnings(hubpolicy.Known)
	if len(deny) != 1 || deny[0].Name != "few" || !slices.Equal(missing, []string{"many"}) || !slices.Equal(codes, []hubpolicy.Warning{hubpolicy.WarnDenyRule}) {
		t.Errorf("%d rules travel, %q do not; warnings %q", len(deny), missing, codes)
	}
	words := r.OfflineWords(hubpolicy.OfflineRules{Rule: hubpolicy.Known})
	if !slices.Contains(words, `- Deny rule "many" does not apply.`) || slices.Contains(words, `- Deny rule "few" does not apply.`) {
		t.Errorf("offline:\n%s", strings.Join(words[:3], "\n"))
	}
	if all := r.DeniedSubjects(); len(all) != 1+hubpolicy.MaxDenySubjects || all[0] != "local:x" {
		t.Errorf("%d holders are denied", len(all))
	}
}

// As many holders as a policy holds fit, and a rule after those that do not fit may still.
func TestDeniedHoldersThatFit(t *testing.T) {
	rule := func(name, kiosk string, n int) string {
		text := fmt.Sprintf("[[rule]]\nname = %q\naction = \"deny\"\nkiosks = [%q]\nsubjects = [", name, kiosk)
		for i := range n {
			text += fmt.Sprintf("%q,", fmt.Sprintf("local:%s%d", name, i))
		}
		return text + "]\n"
	}
	r := parse(t, "default = \"deny\"\n"+rule("all", "k1", hubpolicy.MaxDenySubjects-1)+rule("two", "k1", 2)+rule("one", "k1", 1)+rule("none", "k1", 1)+
		"[[rule]]\nname = \"allowed\"\naction = \"allow\"\nsubjects = [\"local:y\"]\n"+rule("other", "k2", 1))
	deny, missing := r.DenyAt("k1", strings.ToUpper)
	if len(deny) != 2 || deny[0].Name != "all" || deny[1].Name != "one" || !slices.Equal(deny[1].Subjects, []string{"LOCAL:ONE0"}) || !slices.Equal(missing, []string{"two", "none"}) {
		t.Errorf("%d rules travel, %q do not", len(deny), missing)
	}
	if slices.Contains(r.DeniedSubjects(), "local:y") {
		t.Error("a holder who is allowed is denied")
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

// A day has 24 hours. Hours may go past midnight, and must not be empty.
func TestReadSpan(t *testing.T) {
	for text, want := range map[string]hubpolicy.Span{
		"00:00-24:00": {From: 0, To: 1440}, "07:05-17:59": {From: 425, To: 1079}, "22:00-06:00": {From: 1320, To: 360}, "23:59-00:00": {From: 1439, To: 0},
		"07:00-24:01": {}, "24:00-06:00": {}, "07:00-07:00": {}, "07:00-25:00": {}, "07:60-08:00": {}, "07:00": {}, "x07:00-08:00": {}, "07:00-08:00x": {},
	} {
		if got, err := readSpan(text); got != want || (err == nil) != (want != hubpolicy.Span{}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// A file may have MaxFile bytes.
func TestLongFile(t *testing.T) {
	text := "default = \"deny\"\n"
	for size, right := range map[int]bool{MaxFile: true, MaxFile + 1: false} {
		if _, err := Parse([]byte(text+strings.Repeat("\n", size-len(text))), t.TempDir()); (err == nil) != right {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A date, or a time without a zone, needs the zone of the file.
func TestMomentsNeedAZone(t *testing.T) {
	for text, zone := range map[string]bool{"2026-06-01": true, "2026-06-01T07:00:00": true, "2026-06-01T07:00:00Z": false} {
		rule := "[[rule]]\nname = \"a\"\naction = \"deny\"\nfrom = " + text + "\n"
		if _, err := Parse([]byte("default = \"allow\"\n"+rule), t.TempDir()); (err == nil) == zone || zone && !errors.Is(err, errZone) {
			t.Errorf("%s without a zone: %v", text, err)
		}
		if r := parse(t, "default = \"allow\"\ntimezone = \"Europe/Oslo\"\n"+rule); r.Len() != 1 {
			t.Errorf("%s: %d rules", text, r.Len())
		}
	}
}
