//go:build linux

package hardware

import (
	"slices"
	"time"
)

// gaze is how somebody who reads a matrix of contacts is seen to look at it: he
// drives every row while he waits for a key, and each alone while he looks at
// its keys. It is pure: changes of rows come in, in order.
type gaze struct {
	rows   []int
	driven []int         // rows, in the order in which they came to be
	rested time.Duration // since when all are driven; 0 while one is not
	from   time.Duration // since when one alone is

	// Since it began:
	began time.Duration
	looks []look
	idle  time.Duration // for how long all were driven, at a time, at most
}

// look is a time for which a row was driven, and no other at any moment of it.
type look struct {
	row      int
	from, to time.Duration
}

func newGaze(rows []int) gaze { return gaze{rows: rows} }

// begin forgets what was seen until now, but not what is driven.
func (g *gaze) begin(now time.Duration) { g.began, g.looks, g.idle = now, nil, 0 }

func (g *gaze) change(c Change) {
	if c.Output == slices.Contains(g.driven, c.Line) {
		return
	}
	if c.Output {
		g.driven = append(g.driven, c.Line)
		g.from = 0
		if len(g.driven) == 1 {
			g.from = c.Time
		}
		if len(g.driven) == len(g.rows) {
			g.rested = c.Time
		}
		return
	}
	if g.rested > 0 {
		g.idle = max(g.idle, c.Time-max(g.rested, g.began))
	}
	if g.from > 0 {
		g.looks = append(g.looks, look{c.Line, g.from, c.Time})
	}
	g.driven = slices.DeleteFunc(g.driven, func(row int) bool { return row == c.Line })
	g.rested, g.from = 0, 0
}

// enough tells whether a row's keys have been looked at, since some time, as
// often as it takes to tell a key that moved from one that bounces: three times
// over 20 ms (package keypad). He dates a look after it, and before the next.
func (g *gaze) enough(row int, since time.Duration) bool {
	const (
		looks   = 3
		settled = 20 * time.Millisecond
	)
	var seen []look
	for _, l := range g.looks {
		if l.row == row && l.from >= since {
			seen = append(seen, l)
		}
	}
	n := len(seen)
	return n >= looks && seen[n-1].to-seen[1].from >= settled
}

// restsSince tells whether he has stopped looking since some time, and waits
// for the next key.
func (g *gaze) restsSince(since time.Duration) bool { return g.rested >= since }
