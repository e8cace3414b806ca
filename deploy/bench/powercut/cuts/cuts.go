// Package cuts tests what a power cut leaves of an outbox. A real writer works in
// a folder whose disk logs all writes, in order, and marks that say what the
// outbox promised to the writer. From the log the package rebuilds the disk as a
// cut at any moment could have left it: with everything that was flushed; the
// other writes are lost, torn or reordered. Then it opens the outbox and compares
// it with the promises.
//
// There are two such disks. Folder is a file system of this package (FUSE). It
// starts quickly and is harsher than real file systems, because it guarantees
// only what POSIX requires. The other is ext4 on a virtual disk of a real kernel
// (deploy/bench/powercut).
//
// A Folder can also refuse accesses like a failing disk.
//
// The package is for tests: no program imports it.
package cuts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Recording is the log of a disk.
type Recording interface {
	// Entries returns the log in the order of the events.
	Entries() []Entry
	// Cut rebuilds the disk as a cut after the first n entries could have left
	// it, chosen by random, and calls f with the writer's folder. It fails
	// with f's error, or if the folder cannot be mounted. n must not be less
	// than in the previous call.
	Cut(n int, random *rand.Rand, f func(folder string) error) error
}

// Entry is an entry of a disk's log: a mark of the writer or, with a nil Mark, an
// access to the disk.
type Entry struct{ Mark *Mark }

// Options say which cuts are made.
type Options struct {
	Seed uint64 // determines the cuts of a recording
	Cuts int
	Only int // if not 0, make only this cut, counted from 1
}

// Report is the result of Try.
type Report struct {
	Cuts     int
	At       map[Point]int // the number of cuts during each point
	Promised int           // records that had to be there, over all cuts
	Bad      []Bad
}

// Add adds another report.
func (r *Report) Add(o Report) {
	if r.At == nil {
		r.At = map[Point]int{}
	}
	for p, n := range o.At {
		r.At[p] += n
	}
	r.Cuts, r.Promised, r.Bad = r.Cuts+o.Cuts, r.Promised+o.Promised, append(r.Bad, o.Bad...)
}

// Missed returns the points during which the power was never cut.
func (r Report) Missed() []Point {
	return slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return r.At[p] > 0 })
}

// During lists how often the power was cut during each point.
func (r Report) During() string {
	text := fmt.Sprintf("%s %d", Anywhere, r.At[Anywhere])
	for _, p := range points {
		text += fmt.Sprintf(", %s %d", p, r.At[p])
	}
	return text
}

// Bad is a cut after which a promise was not kept.
type Bad struct {
	Cut int // the cut's number, for Options.Only
	At  Point
	Err error
}

// ErrNothingPromised says that the writer did not finish its work, or got no
// promise before any cut. It catches a disk that does not work at all and so
// breaks no promise.
var ErrNothingPromised = errors.New("nothing was acknowledged")

// Try cuts the power at moments spread over all points. After each cut it calls
// check with the promises up to that moment.
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
	after  int // the number of entries before the cut
	at     Point
}

// choose picks the moments in the order of the log: the same number during each
// point, and as many at any time.
func choose(entries []Entry, o Options) ([]cut, error) {
	moments := moments(entries)
	for _, p := range points {
		if len(moments[p]) == 0 {
			return nil, fmt.Errorf("the writer never reached %s: %w", p, ErrNothingPromised)
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

// moments lists the entries during each point. It prefers entries at which the
// disk was busy.
func moments(entries []Entry) map[Point][]int {
	busy, idle := map[Point][]int{}, map[Point][]int{}
	running := map[Point]int{}
	for i, e := range entries {
		at := busy
		if m := e.Mark; m != nil {
			at = idle
			if m.End { // nothing has been flushed since this promise
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
