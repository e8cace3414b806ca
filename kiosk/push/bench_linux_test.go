package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/event"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/hubapi"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// BenchmarkDrain is how long each event of a backlog takes from a kiosk's disk
// to the disk of a durable hub, over loopback.
func BenchmarkDrain(b *testing.B) {
	const backlog = 2000
	dir, url := startHub(b)
	bundle := filepath.Join(dir, "kiosks", "k1")
	credentials, err := hubapi.LoadCredentials(filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), filepath.Join(bundle, "kiosk.key"))
	if err != nil {
		b.Fatal(err)
	}
	config, err := hub.Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	seal := config.Seal.Keys()[0].Public()
	sealer, err := event.NewSealer("k1", credentials.Key, &seal.JSONWebKey)
	if err != nil {
		b.Fatal(err)
	}
	outbox, err := store.Open(filepath.Join(b.TempDir(), "outbox.db"), store.Options{Keep: 64})
	if err != nil {
		b.Fatal(err)
	}
	defer outbox.Close()
	j := journal.Journal{Sealer: sealer, Outbox: outbox, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
	client := hubapi.NewClient(url, credentials.TLS)
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 2900)) // an event of 6.5 KB
	n := 0
	for ; b.Loop(); n += backlog {
		b.StopTimer()
		for range backlog {
			if err := j.Record(b.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted, Token: token, Nonce: "n"}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		ctx, stop := context.WithCancel(b.Context())
		p := push.Pusher{Queue: drained{outbox, stop}, Send: client.SendEvents, Log: slog.New(slog.DiscardHandler)}
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}

// drained tells when an outbox is empty.
type drained struct {
	*store.Store
	empty func()
}

func (d drained) Ack(through uint64) error {
	err := d.Store.Ack(through)
	if d.Len() == 0 {
		d.empty()
	}
	return err
}

// BenchmarkJetStreamPublish is what JetStream takes for a record of a visit's
// size that is on disk when it is acknowledged: what stands beside the outbox.
func BenchmarkJetStreamPublish(b *testing.B) {
	ns, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	ns.Start()
	defer ns.Shutdown()
	conn, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, Storage: jetstream.FileStorage}); err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 6500)
	var laps []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := js.Publish(b.Context(), "s", record); err != nil {
			b.Fatal(err)
		}
		laps = append(laps, time.Since(began))
	}
	slices.Sort(laps)
	b.ReportMetric(float64(laps[len(laps)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(laps[len(laps)*99/100].Nanoseconds()), "p99-ns")
}
