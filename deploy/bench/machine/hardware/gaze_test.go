//go:build linux

package hardware

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What happens to rows 1 and 2, at so many milliseconds: one is driven (+) or
// not any more (-). At 100 a key is pressed.
func TestGaze(t *testing.T) {
	const waiting = "1+1 2+2 "
	for _, tt := range []struct {
		name, happens string
		looks         string // row and how long
		idle          int
		enough        string // which of the rows
		rests         bool
	}{
		{"nothing", "", "", 0, "", false},
		{"nobody looks", waiting, "", 0, "", false},
		{"leaving and coming to rest are no looks", waiting + "104-1 105-2 110+1 111+2 112-1 113-2", "", 4, "", false},
		{"one look each", waiting + "103-1 104-2 105+1 108-1 109+2 112-2", "1:3 2:3", 3, "", false},
		{"at rest in between", waiting + "90-1 91-2 101+1 102+2 109-1 110-2 111+1 112-1", "1:1", 7, "", false},
		{"both at a time", "105+1 106+2 107-1 108-2", "", 1, "", false},
		{"two are too few", "100+1 101-1 150+1 151-1", "1:1 1:1", 0, "", false},
		{"three in too short a time", "100+1 101-1 105+1 106-1 124+1 124-1", "1:1 1:1 1:0", 0, "", false},
		{"three", "100+1 101-1 105+1 106-1 124+1 125-1", "1:1 1:1 1:1", 0, "1", false},
		{"the first began before", "99+1 101-1 105+1 106-1 124+1 125-1", "1:2 1:1 1:1", 0, "", false},
		{"of another row", "100+1 101-1 102+2 103-2 105+1 106-1 124+2 125-2", "1:1 2:1 1:1 2:1", 0, "", false},
		{"at rest in the end", waiting + "90-1 91-2 105+1 106-1 110+1 111+2", "1:1", 0, "", true},
	} {
		g := newGaze([]int{1, 2})
		const since = 100 * time.Millisecond
		began := false
		for _, word := range strings.Fields(tt.happens) {
			var ms int64
			c := Change{Output: strings.Contains(word, "+")}
			if _, err := fmt.Sscanf(strings.NewReplacer("+", " ", "-", " ").Replace(word), "%d %d", &ms, &c.Line); err != nil {
				t.Fatal(err)
			}
			c.Time = time.Duration(ms) * time.Millisecond
			if c.Time >= since && !began {
				g.begin(since)
				began = true
			}
			g.change(c)
		}
		var looks, enough []string
		for _, l := range g.looks {
			looks = append(looks, fmt.Sprintf("%d:%d", l.row, (l.to-l.from).Milliseconds()))
		}
		for _, row := range g.rows {
			if g.enough(row, since) {
				enough = append(enough, fmt.Sprint(row))
			}
		}
		if got := strings.Join(looks, " "); got != tt.looks {
			t.Errorf("%s: looks %q, want %q", tt.name, got, tt.looks)
		}
		if got := g.idle.Milliseconds(); got != int64(tt.idle) {
			t.Errorf("%s: idle for %d ms, want %d", tt.name, got, tt.idle)
		}
		if got := strings.Join(enough, " "); got != tt.enough {
			t.Errorf("%s: enough looks at %q, want %q", tt.name, got, tt.enough)
		}
		if got := g.restsSince(since); got != tt.rests {
			t.Errorf("%s: rests %v", tt.name, got)
		}
	}
}
