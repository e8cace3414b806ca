//go:build linux

package hardware

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What happens to rows 1 and 2 and column 7, at so many milliseconds: a row is
// driven (+) or not any more (-), the column rises or falls.
func TestGaze(t *testing.T) {
	const waiting = "1+1 2+2 "
	for _, tt := range []struct {
		name, happens string
		looks         string // row and how long
		noticed       int
		enough        string // which of the rows
		rests         bool   // since 100
	}{
		{"nothing", "", "", 0, "", false},
		{"at rest", waiting, "", 0, "", false},
		{"nobody looks", waiting + "100:fall", "", 0, "", false},
		{"leaving and coming to rest are no looks", waiting + "100:fall 104-1 105-2 110+1 111+2 112-1 113-2", "", 4, "", false},
		{"one look each", waiting + "100:fall 103-1 104-2 105+1 108-1 109+2 112-2", "1:3 2:3", 3, "", false},
		{"others while it bounces", waiting + "100:fall 101:rise 102:fall 103-1 104-2 105+1 109-1", "1:4", 3, "", false},
		{"both at a time", "105+1 106+2 107-1 108-2", "", 0, "", false},
		{"two are too few", "100+1 101-1 150+1 151-1", "1:1 1:1", 0, "", false},
		{"three in too short a time", "100+1 101-1 105+1 106-1 124+1 124-1", "1:1 1:1 1:0", 0, "", false},
		{"three", "100+1 101-1 105+1 106-1 124+1 125-1", "1:1 1:1 1:1", 0, "1", false},
		{"the first began before", "99+1 101-1 105+1 106-1 124+1 125-1", "1:2 1:1 1:1", 0, "", false},
		{"of another row", "100+1 101-1 102+2 103-2 105+1 106-1 124+2 125-2", "1:1 2:1 1:1 2:1", 0, "", false},
		{"at rest again", waiting + "90-1 91-2 105+1 106-1 110+1 111+2", "1:1", 0, "", true},
	} {
		g := newGaze([]int{1, 2})
		for _, word := range strings.Fields(tt.happens) {
			var ms, row int
			c := Change{Line: 7}
			if at, _, column := strings.Cut(word, ":"); column {
				fmt.Sscan(at, &ms)
				c.High = strings.HasSuffix(word, "rise")
			} else {
				c.Output = strings.Contains(word, "+")
				fmt.Sscanf(strings.NewReplacer("+", " ", "-", " ").Replace(word), "%d %d", &ms, &row)
				c.Line = row
			}
			c.Time = time.Duration(ms) * time.Millisecond
			g.change(c)
		}
		const since = 100 * time.Millisecond
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
		if got := g.noticed.Milliseconds(); got != int64(tt.noticed) {
			t.Errorf("%s: noticed after %d ms, want %d", tt.name, got, tt.noticed)
		}
		if got := strings.Join(enough, " "); got != tt.enough {
			t.Errorf("%s: enough looks at %q, want %q", tt.name, got, tt.enough)
		}
		if got := g.restsSince(since); got != tt.rests {
			t.Errorf("%s: rests %v", tt.name, got)
		}
		if g.begin(); len(g.looks) > 0 || g.touched > 0 || g.noticed > 0 {
			t.Errorf("%s: begins with %+v", tt.name, g)
		}
	}
}
