//go:build sidebyside

// Package sidebyside measures the outbox beside other ways to keep a record on
// disk. It is apart from package store, and behind a build tag, because one of
// them takes half a minute to compile.
package sidebyside

import (
	"fmt"
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
	// keep puts a record on disk, does away with the one that is kept longest
	// where there are more than kept, and returns when both are durable.
	keep func(record []byte) error
}

// BenchmarkSideBySide takes turns, so that each has the same disk under the
// same load: machines are noisy.
func BenchmarkSideBySide(b *testing.B) {
	contenders := []contender{outbox(b), overwritten(b), appended(b), sqlite(b), jetStream(b)}
	record := make([]byte, recordSize)
	times, bytes := make([][]time.Duration, len(contenders)), make([]int64, len(contenders))
	turn := func(i int) (time.Duration, int64) {
		wrote := written(b)
		began := time.Now()
		if err := contenders[i].keep(record); err != nil {
			b.Fatalf("%s: %v", contenders[i].name, err)
		}
		return time.Since(began), written(b) - wrote
	}
	for range 2 * kept { // until each is in its steady state
		for i := range contenders {
			turn(i)
		}
	}
	for b.Loop() {
		for range rounds {
			for i := range contenders {
				took, wrote := turn(i)
				times[i] = append(times[i], took)
				bytes[i] += wrote
			}
		}
	}
	for i, c := range contenders {
		slices.Sort(times[i])
		n := len(times[i])
		b.ReportMetric(float64(times[i][n/2].Nanoseconds()), c.name+"-p50-ns")
		b.ReportMetric(float64(times[i][n*99/100].Nanoseconds()), c.name+"-p99-ns")
		b.ReportMetric(float64(bytes[i])/float64(n), c.name+"-B")
	}
	b.ReportMetric(0, "ns/op") // of all together: says nothing
}

// written is how many bytes this process had the kernel write to disks so far.
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
