package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchRecord is of a sealed visit's size with a token for evidence.
var benchRecord = make([]byte, 6500)

func sealBench(uint64, []byte) ([]byte, []byte, error) {
	return benchRecord, make([]byte, LinkSize), nil
}

// BenchmarkAppend is a visit in steady state: a durable append, acknowledged
// before the next, with as many kept as kioskd keeps.
func BenchmarkAppend(b *testing.B) {
	s, err := Open(outbox(b), Options{Keep: 64})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for range 64 {
		add(b, s, strings.Repeat("x", len(benchRecord)))
	}
	m := measure(b)
	for b.Loop() {
		m.lap()
		seq, err := s.Append(sealBench)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Ack(seq); err != nil {
			b.Fatal(err)
		}
	}
	m.report()
}

// BenchmarkAppendBacklog appends while nobody acknowledges.
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

// BenchmarkAppendParallel shows what group commit gives.
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

// BenchmarkFdatasync is the floor: the same bytes written over themselves and
// synced once, with no promise beyond that.
func BenchmarkFdatasync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	m := measure(b)
	for b.Loop() {
		m.lap()
		if _, err := f.WriteAt(benchRecord, 0); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	m.report()
}

// measurement is of what a mean time does not show.
type measurement struct {
	b       *testing.B
	laps    []time.Time
	written int64
}

func measure(b *testing.B) *measurement { return &measurement{b: b, written: written(b)} }

// lap begins an operation.
func (m *measurement) lap() { m.laps = append(m.laps, time.Now()) }

// report adds the times' median and 99th percentile, and the bytes that went
// to the disk.
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
