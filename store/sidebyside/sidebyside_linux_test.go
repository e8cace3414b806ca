//go:build sidebyside

// Package sidebyside compares the outbox with other ways to keep a record on
// disk. It is not in package store, and has a build tag, because one of the
// others takes half a minute to compile.
package sidebyside

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	recordSize = 6500 // bytes; a sealed visit with a token for evidence
	kept       = 64   // records that were handed over and stay, as kioskd has it
	rounds     = 1000
)

// contender keeps records, all in the same folder's file system.
type contender struct {
	name string
	// keep writes a record, deletes the oldest one if there are more than
	// kept, and returns when both changes are on disk.
	keep func(record []byte) error
}

// BenchmarkSideBySide runs the contenders in turns, so that each meets the same
// load. A contender can leave the disk, the file system's journal or a processor
// busy, and slow the next one down. So each round has another order. First the
// benchmark counts the bytes that each contender writes, while the later ones,
// which also write in the background, are not started.
func BenchmarkSideBySide(b *testing.B) {
	record := make([]byte, recordSize)
	var contenders []contender
	var bytes []float64 // for a visit
	turn := func(c contender) time.Duration {
		began := time.Now()
		if err := c.keep(record); err != nil {
			b.Fatalf("%s: %v", c.name, err)
		}
		return time.Since(began)
	}
	for _, open := range []func(*testing.B) contender{outbox, overwritten, twoSyncs, appended, sqlite, jetStream} {
		c := open(b)
		for range 2 * kept { // until it is in its steady state
			turn(c)
		}
		before := written(b)
		for range rounds {
			turn(c)
		}
		bytes = append(bytes, float64(written(b)-before)/rounds)
		contenders = append(contenders, c)
	}
	times := make([][]time.Duration, len(contenders))
	p50 := map[string]float64{} // in nanoseconds
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		for range rounds {
			for _, i := range random.Perm(len(contenders)) {
				times[i] = append(times[i], turn(contenders[i]))
			}
		}
	}
	for i, c := range contenders {
		slices.Sort(times[i])
		n := len(times[i])
		p50[c.name] = float64(times[i][n/2].Nanoseconds())
		b.ReportMetric(p50[c.name], c.name+"-p50-ns")
		b.ReportMetric(float64(times[i][n*99/100].Nanoseconds()), c.name+"-p99-ns")
		b.ReportMetric(bytes[i], c.name+"-B")
	}
	for _, pair := range [][2]string{{"outbox", "bare"}, {"two-syncs", "bare"}, {"outbox", "two-syncs"}} {
		b.ReportMetric(p50[pair[0]]/p50[pair[1]], pair[0]+"/"+pair[1]+"-p50")
	}
	b.ReportMetric(0, "ns/op") // of all together: says nothing
}

// written returns how many bytes this process has written to disks so far.
func written(b *testing.B) (bytes int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		b.Fatal(err)
	}
	return bytes
}
