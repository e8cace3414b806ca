package store

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchRecord has the size of a sealed visit with a token as evidence.
var benchRecord = make([]byte, 6500)

func sealBench(uint64, []byte) ([]byte, []byte, error) {
	return benchRecord, make([]byte, LinkSize), nil
}

// BenchmarkAppendBacklog appends without acknowledgements. For a visit in
// steady state see package sidebyside.
func BenchmarkAppendBacklog(b *testing.B) {
	s := open(b, outbox(b))
	m := measure(b)
	for b.Loop() {
		m.lap()
		if _, err := s.Append(sealBench); err != nil {
			b.Fatal(err)
		}
	}
	m.report()
}

// BenchmarkAppendParallel measures group commit.
func BenchmarkAppendParallel(b *testing.B) {
	s := open(b, outbox(b))
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Append(sealBench); err != nil {
				b.Error(err)
			}
		}
	})
}

// measurement collects the single times, because a mean hides the slow ones.
type measurement struct {
	b       *testing.B
	laps    []time.Time
	written int64
}

func measure(b *testing.B) *measurement { return &measurement{b: b, written: written(b)} }

// lap starts an operation and ends the one before.
func (m *measurement) lap() { m.laps = append(m.laps, time.Now()) }

// report reports the times' median and 99th percentile, and the bytes that were
// written to the disk.
func (m *measurement) report() {
	m.lap()
	var times []time.Duration
	for i := range m.laps[1:] {
		times = append(times, m.laps[i+1].Sub(m.laps[i]))
	}
	slices.Sort(times)
	m.b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
	m.b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
	m.b.ReportMetric(float64(written(m.b)-m.written)/float64(len(times)), "disk-B/op")
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
