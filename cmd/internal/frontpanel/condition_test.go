package frontpanel

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var errGone = errors.New("gone")

// Each row lists when a part starts to work (+) or to fail (-), in seconds, and when
// it must be reported as found or lost.
func TestCondition(t *testing.T) {
	for _, tt := range []struct{ name, happens, told string }{
		{"there at once", "+0", "found 0"},
		{"never heard of", "", "lost 3"},
		{"missing at the start", "-0 -2 -4 +5", "lost 3, found 6"},
		{"slow at the start", "-0 +2", "found 2"},
		{"a glitch", "+0 -10 +12", "found 0"},
		{"many glitches", "+0 -10 +12 -13 +15 -16 +18", "found 0"},
		{"lost", "+0 -10", "found 0, lost 13"},
		{"back", "+0 -10 +20", "found 0, lost 13, found 21"},
		{"back for a moment only", "+0 -10 +20.5 -21 +30", "found 0, lost 13, found 31"},
		{"each time later", "+0 -10 +20 -30 +40 -50 +60", "found 0, lost 13, found 21, lost 33, found 42, lost 53, found 64"},
		{"at once again after it worked long", "+0 -10 +20 -30 +40 -700 +710", "found 0, lost 13, found 21, lost 33, found 42, lost 703, found 711"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			c := newCondition(start)
			var told []string
			happens := strings.Fields(tt.happens)
			for tick := range 8000 { // ticks of 0.1 s
				now := start.Add(time.Duration(tick) * 100 * time.Millisecond)
				for len(happens) > 0 {
					var at float64
					if _, err := fmt.Sscan(happens[0][1:], &at); err != nil {
						t.Fatal(err)
					}
					if now.Before(start.Add(time.Duration(at * float64(time.Second)))) {
						break
					}
					var err error
					if happens[0][0] == '-' {
						err = errGone
					}
					c.update(err, now)
					happens = happens[1:]
				}
				if state := c.next(now); state != "" {
					told = append(told, fmt.Sprintf("%s %v", state, now.Sub(start).Seconds()))
				}
			}
			if got := strings.Join(told, ", "); got != tt.told {
				t.Errorf("reported %q, want %q", got, tt.told)
			}
		})
	}
}

// However a part comes and goes, found and lost alternate. Lost is reported only
// while the part fails, and found only while it works. A loose contact is reported a
// few times an hour. In the end the last report is true.
func TestLooseContact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		began := now
		c := newCondition(now)
		var last State
		tells := 0
		look := func() {
			state := c.next(now)
			if state == "" {
				return
			}
			if tells++; state == last || (state == Lost) != (c.err != nil) {
				t.Fatalf("reported %s after %q, but the error is %v", state, last, c.err)
			}
			last = state
		}
		for range rapid.IntRange(0, 400).Draw(t, "changes") {
			var err error
			if rapid.Bool().Draw(t, "fails") {
				err = errGone
			}
			c.update(err, now)
			for range rapid.IntRange(0, 80).Draw(t, "tenths") {
				look()
				now = now.Add(100 * time.Millisecond)
			}
		}
		if hours := now.Sub(began).Hours(); float64(tells) > 24+12*hours {
			t.Fatalf("reported %d times in %v", tells, now.Sub(began))
		}
		for range int((maxSettle + time.Minute) / time.Second) {
			look()
			now = now.Add(time.Second)
		}
		if (last == Lost) != (c.err != nil) {
			t.Fatalf("reported %s, but the error is %v", last, c.err)
		}
	})
}
