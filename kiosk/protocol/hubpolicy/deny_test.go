package hubpolicy

import (
	"strings"
	"testing"
	"time"
)

// TestDeniesOnlyWhenAllMatch has rules that each fail to match in one condition.
func TestDeniesOnlyWhenAllMatch(t *testing.T) {
	keys, other := HolderKeys{Key: []byte("key")}, HolderKeys{Key: []byte("x")}
	one, two := HolderHash{1}, HolderHash{2}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) // a Sunday
	in, out := []time.Weekday{time.Sunday}, []time.Weekday{time.Monday}
	for name, tt := range map[string]struct {
		rule DenyRule
		want bool
	}{
		"everything":        {DenyRule{}, true},
		"all match":         {DenyRule{Subjects: []string{keys.Denied(one)}, Domains: []string{"d"}, Calendar: Calendar{From: at, Until: at.Add(1), Weekdays: in, zone: time.UTC}}, true},
		"another subject":   {DenyRule{Subjects: []string{keys.Denied(two)}}, false},
		"another key":       {DenyRule{Subjects: []string{other.Denied(one)}}, false},
		"another domain":    {DenyRule{Domains: []string{"e"}}, false},
		"later":             {DenyRule{Calendar: Calendar{From: at.Add(1)}}, false},
		"over":              {DenyRule{Calendar: Calendar{Until: at}}, false},
		"another day":       {DenyRule{Calendar: Calendar{Weekdays: out, zone: time.UTC}}, false},
		"over, on this day": {DenyRule{Calendar: Calendar{Until: at, Weekdays: in, zone: time.UTC}}, false},
	} {
		if got := Denies([]DenyRule{{Domains: []string{"none"}}, tt.rule}, keys.Denied(one), "d", at); (got != nil) != tt.want {
			t.Errorf("%s: denied by %+v", name, got)
		}
	}
}

// TestCheckDeny: a policy whose deny rules have invalid hours or too many subjects is
// invalid.
func TestCheckDeny(t *testing.T) {
	hours := func(from, to int) []DenyRule {
		return []DenyRule{{Name: "night", Calendar: Calendar{Hours: []Span{{From: from, To: to}}}}}
	}
	for name, tt := range map[string]struct {
		rules []DenyRule
		want  string
	}{
		"none":              {nil, ""},
		"the whole day":     {hours(0, 24*60), ""},
		"over midnight":     {hours(24*60-1, 0), ""},
		"from before 0:00":  {hours(-1, 60), `deny rule "night": a time of day is out of range`},
		"from 24:00":        {hours(24*60, 60), `deny rule "night": a time of day is out of range`},
		"until before 0:00": {hours(0, -1), `deny rule "night": a time of day is out of range`},
		"until after 24:00": {hours(0, 24*60+1), `deny rule "night": a time of day is out of range`},
		"many subjects":     {[]DenyRule{{Subjects: make([]string, MaxDenySubjects-1)}, {Subjects: make([]string, 1)}}, ""},
		"too many subjects": {[]DenyRule{{Subjects: make([]string, MaxDenySubjects)}, {Subjects: make([]string, 1)}}, "the deny rules name 10001 holders, more than 10000"},
	} {
		err := checkDeny(tt.rules)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestHours checks the first and last minute of spans, also of spans over midnight.
func TestHours(t *testing.T) {
	sunday := []time.Weekday{time.Sunday}
	for _, tt := range []struct {
		from, to int // minutes
		day      int // of November 2026; the 22nd is a Sunday
		minute   int
		want     bool
	}{
		{480, 960, 22, 479, false}, {480, 960, 22, 480, true}, {480, 960, 22, 959, true}, {480, 960, 22, 960, false},
		{1320, 360, 22, 1319, false}, {1320, 360, 22, 1320, true}, {1320, 360, 23, 359, true}, {1320, 360, 23, 360, false}, {1320, 360, 22, 0, false},
		{480, 480, 22, 480, true}, {480, 480, 22, 1439, true}, {480, 480, 23, 479, true}, {480, 480, 23, 480, false}, {480, 480, 22, 479, false},
		{0, 1440, 22, 1439, true}, {0, 1440, 23, 0, false},
	} {
		c := Calendar{Weekdays: sunday, Hours: []Span{{From: tt.from, To: tt.to}}, zone: time.UTC}
		at := time.Date(2026, 11, tt.day, 0, tt.minute, 0, 0, time.UTC)
		if got := c.InHours(at); got != tt.want {
			t.Errorf("%d to %d at %v: %v", tt.from, tt.to, at, got)
		}
	}
}
