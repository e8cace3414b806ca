package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// BenchmarkDrain is how long each event of a backlog takes from a kiosk's disk
// to the disk of a durable hub, over loopback; and what both take of the
// processors for it.
func BenchmarkDrain(b *testing.B) {
	const backlog, writers = 10_000, 16
	dir, url := startHub(b)
	bundle := filepath.Join(dir, "kiosks", "k1")
	credentials, err := hubapi.LoadCredentials(filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), filepath.Join(bundle, "kiosk.key"))
	if err != nil {
		b.Fatal(err)
	}
	outbox, err := store.Open(filepath.Join(b.TempDir(), "outbox.db"), store.Options{Keep: 64})
	if err != nil {
		b.Fatal(err)
	}
	defer outbox.Close()
	j := newJournal(b, dir, credentials, outbox)
	client := hubapi.NewClient(url, credentials.TLS)
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 2900)) // an event of 6.5 KB
	n := 0
	var cpu time.Duration
	for ; b.Loop(); n += backlog {
		b.StopTimer()
		var writing sync.WaitGroup
		for range writers {
			writing.Go(func() {
				for range backlog / writers {
					if err := j.Record(b.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted, Token: token, Nonce: "n"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		writing.Wait()
		before := processorTime(b)
		b.StartTimer()
		ctx, stop := context.WithCancel(b.Context())
		p := push.Pusher{Queue: drained{outbox, stop}, Send: client.SendEvents, Log: slog.New(slog.DiscardHandler)}
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			b.Fatal(err)
		}
		cpu += processorTime(b) - before
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(n), "cpu-ns/event")
}

// processorTime is what the process has had of the processors.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
