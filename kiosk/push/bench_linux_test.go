package push_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/webeid"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// backlog is a kiosk with many events of 6.5 KB each, and its hub.
type backlog struct {
	dir, url string
	outbox   *store.Store
	journal  *journal.Journal
	client   *hubapi.Client
}

func newBacklog(b *testing.B) *backlog {
	dir, url := startHub(b)
	credentials := kioskCredentials(b, filepath.Join(dir, "kiosks", "k1"))
	outbox, err := store.Open(filepath.Join(b.TempDir(), "outbox.db"), store.Options{Keep: 64})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = outbox.Close() })
	return &backlog{dir, url, outbox, newJournal(b, dir, credentials, outbox), hubapi.NewClient(url, credentials.TLS)}
}

// add records n visits.
func (k *backlog) add(b *testing.B, n int) {
	const writers = 16
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 2900))
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range n / writers {
				if err := k.journal.Write(b.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted, Token: token, Nonce: "n"}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
}

// drain pushes the whole backlog to the hub.
func (k *backlog) drain(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	p := push.Pusher{Queue: drained{k.outbox, stop}, Send: k.client.SendEventsInTurn, Log: slog.New(slog.DiscardHandler)}
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		b.Error(err)
	}
}

// BenchmarkDrain measures the time per event to push a backlog from a kiosk's
// disk to the disk of a durable hub over loopback. It also reports the processor
// time of both together.
func BenchmarkDrain(b *testing.B) {
	const events = 10_000
	k := newBacklog(b)
	n := 0
	var cpu time.Duration
	for ; b.Loop(); n += events {
		b.StopTimer()
		k.add(b, events)
		before := processorTime(b)
		b.StartTimer()
		k.drain(b)
		cpu += processorTime(b) - before
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(n), "cpu-ns/event")
}

// BenchmarkDrainFloor measures the cryptography that no implementation can avoid,
// with the standard library on all processors. For each event it agrees on a key,
// decrypts, hashes the signed text and verifies the signature.
func BenchmarkDrainFloor(b *testing.B) {
	const size = 4900 // bytes of the JWS
	hubKey, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	device, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	key, iv, jws := make([]byte, 32), make([]byte, 12), make([]byte, size)
	sum := sha256.Sum256(jws)
	signature, err := ecdsa.SignASN1(rand.Reader, device, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	sealed, point := gcm.Seal(nil, iv, jws, nil), ephemeral.PublicKey().Bytes()
	before := processorTime(b)
	b.RunParallel(func(p *testing.PB) {
		opened := make([]byte, 0, size)
		for p.Next() {
			public, err := ecdh.P256().NewPublicKey(point)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := hubKey.ECDH(public); err != nil {
				b.Error(err)
			}
			text, err := gcm.Open(opened, iv, sealed, nil)
			sum := sha256.Sum256(text)
			if err != nil || !ecdsa.VerifyASN1(&device.PublicKey, sum[:], signature) {
				b.Error("not opened", err)
			}
		}
	})
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/event")
}

// processorTime returns the user and system time of this process.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDrainVerdict measures how long a person at one kiosk waits for the hub's
// challenge and verdict while another kiosk pushes its backlog at full speed. For
// comparison it also measures an idle hub.
func BenchmarkDrainVerdict(b *testing.B) {
	const events = 6000
	k := newBacklog(b)
	bundle, err := hub.AddKiosk(k.dir, "k2")
	if err != nil {
		b.Fatal(err)
	}
	person := hubapi.NewClient(k.url, kioskCredentials(b, bundle).TLS)
	card := cards(b).Holders["valid"].Authentication
	visit := func() time.Duration {
		began := time.Now()
		challenge, err := person.Challenge(b.Context())
		took := time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		token, err := webeid.Sign(card.Key, card.Certificate.Raw, k.url, challenge.Nonce)
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		verdict, err := person.Authenticate(b.Context(), "v", challenge.Nonce, token)
		if err != nil || !verdict.Granted {
			b.Fatal(verdict.Reason, err)
		}
		return took + time.Since(began)
	}
	var alone, beside []time.Duration
	for b.Loop() {
		for range 100 {
			alone = append(alone, visit())
		}
		b.StopTimer()
		k.add(b, events)
		b.StartTimer()
		drained := make(chan struct{})
		go func() { defer close(drained); k.drain(b) }()
		for under := true; under; {
			beside = append(beside, visit())
			select {
			case <-drained:
				under = false
			default:
			}
		}
	}
	slices.Sort(alone)
	slices.Sort(beside)
	for name, part := range map[string]int{"p50": 50, "p95": 95} {
		a, d := alone[len(alone)*part/100], beside[len(beside)*part/100]
		b.ReportMetric(float64(a.Nanoseconds()), name+"-alone-ns")
		b.ReportMetric(float64(d.Nanoseconds()), name+"-ns")
		b.ReportMetric(float64(d)/float64(a), name+"-of-alone")
	}
	b.ReportMetric(float64(len(beside)), "verdicts")
}
