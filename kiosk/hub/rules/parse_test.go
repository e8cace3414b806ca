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

	"smartkiosk/kiosk/protocol/hubpolicy"
)

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
