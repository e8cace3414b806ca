package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"smartkiosk/store"
)

// BenchmarkQueued measures the memory of kioskd with 100,000 queued events, relative
// to an empty queue. The hub is down.
func BenchmarkQueued(b *testing.B) {
	const queued, writers = 100_000, 16
	s := newSite(b)
	serving := func() float64 {
		k := spawn(b, "kioskd", "run", "--config", s.config)
		k.await("msg=ready")
		k.await("cannot push events") // the first batch has been read
		defer k.signal(syscall.SIGTERM)
		return residentBytes(b, k.cmd.Process.Pid)
	}
	for b.Loop() {
		if err := os.RemoveAll(s.bundle("state")); err != nil {
			b.Fatal(err)
		}
		none := serving()
		outbox, err := store.Open(s.outbox(), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		var writing sync.WaitGroup
		pad := strings.Repeat("x", 3800)
		for range writers {
			writing.Go(func() {
				for range queued / writers {
					_, err := outbox.Append(func(seq uint64, _ []byte) (record, link []byte, err error) {
						return fmt.Appendf(nil, `{"sequence":%d,"pad":%q}`, seq, pad), []byte(strings.Repeat("l", store.LinkSize)), nil
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		writing.Wait()
		if err := outbox.Close(); err != nil {
			b.Fatal(err)
		}
		all := serving()
		b.ReportMetric(all/none, "growth")
		b.ReportMetric(all, "resident-B")
	}
}
