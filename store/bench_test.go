package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// benchRecord is of a sealed visit's size with a token for evidence.
var benchRecord = make([]byte, 6500)

func sealBench(uint64, []byte) ([]byte, []byte, error) {
	return benchRecord, make([]byte, LinkSize), nil
}

// BenchmarkAppend is a visit in steady state: a durable append, acknowledged
// before the next.
func BenchmarkAppend(b *testing.B) {
	s := open(b, outbox(b))
	for b.Loop() {
		seq, err := s.Append(sealBench)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Ack(seq); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendBacklog appends while nobody acknowledges.
func BenchmarkAppendBacklog(b *testing.B) {
	s := open(b, outbox(b))
	for b.Loop() {
		if _, err := s.Append(sealBench); err != nil {
			b.Fatal(err)
		}
	}
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
	for b.Loop() {
		if _, err := f.WriteAt(benchRecord, 0); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}
