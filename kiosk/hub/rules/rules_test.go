package rules

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"smartkiosk/kiosk"
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

// The webhook must answer before the kiosk stops waiting for the hub.
func TestWebhookIsQuickerThanTheKiosk(t *testing.T) {
	if maxTimeout >= kiosk.DefaultTiming.Hub {
		t.Errorf("a webhook may take %s, but a kiosk waits %s", maxTimeout, kiosk.DefaultTiming.Hub)
	}
}
