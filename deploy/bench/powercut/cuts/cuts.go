// Package powercut shows what of an outbox is left after a power cut. A real
// writer works in a folder whose disk keeps a log of all that is written to
// it, in order, and of what the writer was promised. From the log the disk is
// made anew as a cut at any moment could have left it: with all that was
// flushed, and of the rest some lost, some torn, some written before what was
// written earlier. Then the outbox is opened, and held to the promises.
//
// There are two such disks. Folder is a file system of this package's own
// (FUSE): quick to set up, and harsher than any that is in use, as it keeps to
// the letter of POSIX only. The other is a real ext4 on a virtual disk of a
// real kernel (deploy/bench).
//
// A Folder can also be told to refuse accesses, as a failing disk does.
//
// It is for tests: no program imports it.
package cuts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Recording is the log of a disk.
type Recording interface {
	// Entries gives the log, in the order in which things came to be.
	Entries() []Entry
	// Cut makes the disk as a cut after the first n entries could have left
	// it, chosen by random, and calls f with the folder that the writer was
	// given. It fails with f's error, or when the folder cannot be had. n
	// never is less than in the call before.
	Cut(n int, random *rand.Rand, f func(folder string) error) error
}

// Entry is one of a disk's log: a mark of the writer's, or, with a nil Mark,
// something that was done to the disk.
type Entry struct{ Mark *Mark }

// Options say which cuts are made.
type Options struct {
	Seed uint64 // each cut follows from it and from the recording
	Cuts int
	Only int // if not 0, only this one of them, counted from 1
}

// Report says what Try found.
type Report struct {
	Cuts     int
	At       map[Point]int // how many of them during what
	Promised int           // records that were promised to be there, over all cuts
	Bad      []Bad
}

// Add counts what another report says.
func (r *Report) Add(o Report) {
	if r.At == nil {
		r.At = map[Point]int{}
	}
	for p, n := range o.At {
		r.At[p] += n
	}
	r.Cuts, r.Promised, r.Bad = r.Cuts+o.Cuts, r.Promised+o.Promised, append(r.Bad, o.Bad...)
}

// Missed are the points during which the power was never cut.
func (r Report) Missed() []Point {
	return slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return r.At[p] > 0 })
}

// During lists how often the power was cut during what.
func (r Report) During() string {
	text := fmt.Sprintf("%s %d", Anywhere, r.At[Anywhere])
	for _, p := range points {
		text += fmt.Sprintf(", %s %d", p, r.At[p])
	}
	return text
}

// Bad is a cut after which a promise was not kept.
type Bad struct {
	Cut int // its number, for Options.Only
	At  Point
	Err error
}

// ErrNothingPromised is Try's when the writer did not do all that it should,
// or was promised nothing before any cut: a disk that does not work at all
// breaks no promise.
var ErrNothingPromised = errors.New("nothing was acknowledged")

// Try cuts the power at moments spread over all points, and calls check after
// each cut with what was promised by then.
func Try(r Recording, o Options, check func(folder string, p Promises) error) (Report, error) {
	entries := r.Entries()
	cuts, err := choose(entries, o)
	if err != nil {
		return Report{}, err
	}
	report := Report{At: map[Point]int{}}
	var promises Promises
	done := 0
	for _, c := range cuts {
		for ; done < c.after; done++ {
			if m := entries[done].Mark; m != nil {
				promises.add(*m)
			}
		}
		report.Cuts++
		report.At[c.at]++
		report.Promised += promises.count()
		random := rand.New(rand.NewPCG(o.Seed, uint64(c.number)))
		err := r.Cut(c.after, random, func(folder string) error { return check(folder, promises) })
		if err != nil {
			report.Bad = append(report.Bad, Bad{Cut: c.number, At: c.at, Err: err})
		}
	}
	if report.Promised == 0 {
		return report, ErrNothingPromised
	}
	return report, nil
}

// cut is a moment to cut the power at.
type cut struct {
	number int
	after  int // so many entries
	at     Point
}

// choose picks the moments: as many during each of the points, and as many at
// any time. They come in the order of the log.
func choose(entries []Entry, o Options) ([]cut, error) {
	moments := moments(entries)
	for _, p := range points {
		if len(moments[p]) == 0 {
			return nil, fmt.Errorf("the writer never came to %s: %w", p, ErrNothingPromised)
		}
	}
	points := append([]Point{Anywhere}, points...)
	var cuts []cut
	for i := range o.Cuts {
		c := cut{number: i + 1, at: points[i%len(points)]}
		random := rand.New(rand.NewPCG(o.Seed+1, uint64(c.number)))
		c.after = moments[c.at][random.IntN(len(moments[c.at]))]
		if o.Only == 0 || o.Only == c.number {
			cuts = append(cuts, c)
		}
	}
	slices.SortStableFunc(cuts, func(a, b cut) int { return a.after - b.after })
	return cuts, nil
}

// moments lists when each point was being passed: after which entries. Of
// those within, the ones at which the disk was at work are preferred.
func moments(entries []Entry) map[Point][]int {
	busy, idle := map[Point][]int{}, map[Point][]int{}
	running := map[Point]int{}
	for i, e := range entries {
		at := busy
		if m := e.Mark; m != nil {
			at = idle
			if m.End { // the promise is fresh: nothing has been flushed since
				running[m.Point]--
				busy[m.Point] = append(busy[m.Point], i+1)
			} else {
				running[m.Point]++
			}
		}
		for p, n := range running {
			if n > 0 {
				at[p] = append(at[p], i+1)
			}
		}
		busy[Anywhere] = append(busy[Anywhere], i+1)
	}
	for p, at := range idle {
		if len(busy[p]) == 0 {
			busy[p] = at
		}
	}
	return busy
}
