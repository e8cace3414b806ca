package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// cutter is a proxy for connections to a hub. It cuts the first two while they send
// to the hub, and some of the others at a random place.
type cutter struct {
	net.Listener
	to     string
	random *rand.Rand
	cuts   atomic.Int32
}

// limits returns the number of bytes that a connection carries to the hub and back.
func (c *cutter) limits(connection int) [2]int64 {
	const none = 1 << 40
	there := 2000 + c.random.Int64N(1<<20) // a handshake takes about 2000 bytes
	if connection < 2 || c.random.IntN(4) == 0 {
		return [2]int64{there, none}
	}
	return [2]int64{none, none}
}

// run carries connections until ctx ends.
func (c *cutter) run(ctx context.Context) {
	context.AfterFunc(ctx, func() { _ = c.Close() })
	var carried sync.WaitGroup
	defer carried.Wait()
	for n := 0; ; n++ {
		from, err := c.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = from.Close() // the hub restarts
			continue
		}
		limits := c.limits(n)
		context.AfterFunc(ctx, func() { _, _ = from.Close(), to.Close() })
		for i, ends := range [2][2]net.Conn{{from, to}, {to, from}} {
			carried.Go(func() {
				if _, err := io.CopyN(ends[1], ends[0], limits[i]); err == nil {
					c.cuts.Add(1)
				}
				_ = from.Close()
				_ = to.Close()
			})
		}
	}
}

// Two full batches are in flight at a time, and the first is sometimes slower than the
// second. Connections are cut and the hub restarts. The feed contains exactly the
// events that were written, and the hub never receives the second batch first.
func TestTwoUnderWay(t *testing.T) {
	seed := *networkSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-network.seed %d", seed)
	const events = 200 // of 54 KB each
	dir, url := makeHub(t)
	address := strings.TrimPrefix(url, "https://")
	var log lockedBuffer
	start := func() (stop func()) {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return serveHubLog(t, dir, l, slog.New(slog.NewTextHandler(&log, nil)))
	}
	stopHub := start()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	line := &cutter{Listener: l, to: address, random: rand.New(rand.NewPCG(seed, 1))}
	var carrying sync.WaitGroup
	defer carrying.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	carrying.Go(func() { line.run(ctx) })

	credentials := kioskCredentials(t, filepath.Join(dir, "kiosks", "k1"))
	outbox, err := store.Open(filepath.Join(t.TempDir(), "outbox.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close()
	j := newJournal(t, dir, credentials, outbox)
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 30_000))
	var writing sync.WaitGroup
	for range 20 {
		writing.Go(func() {
			for range events / 20 {
				if err := j.Write(t.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted, Token: token}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()

	client := hubapi.NewClient("https://"+l.Addr().String(), credentials.TLS)
	var began, under, most atomic.Int32
	send := func(ctx context.Context, batch []json.RawMessage, turn <-chan struct{}) (hubapi.Acknowledgement, error) {
		most.Store(max(most.Load(), under.Add(1)))
		defer under.Add(-1)
		if began.Add(1)%4 == 1 {
			// The next batch has this long to overtake it.
			<-time.After(200 * time.Millisecond)
		}
		return client.SendEventsInTurn(ctx, batch, turn)
	}
	restarts := []uint64{events / 3, 2 * events / 3}
	reached := make(chan struct{}, len(restarts))
	pusher := push.Pusher{Queue: acks{outbox, func(through uint64) {
		if len(restarts) > 0 && through >= restarts[0] {
			restarts = restarts[1:]
			reached <- struct{}{}
		}
		if through == events+1 { // the first event announces the epoch
			stop()
		}
	}}, Send: send, Log: slog.New(slog.DiscardHandler)}
	pusher.Large()
	pushed := make(chan error)
	go func() { pushed <- pusher.Run(ctx) }()
	for range cap(reached) {
		<-reached // while further batches are in flight
		stopHub()
		stopHub = start()
	}
	if err := <-pushed; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}

	_, consumer, err := hub.Consumer(dir, "backend")
	if err != nil {
		t.Fatal(err)
	}
	backend, n := hubapi.NewClient(url, consumer.TLS), 0
	for n < events+1 {
		got, cursor, err := backend.Feed(t.Context(), "backend", 1000, 0)
		if err != nil || len(got) == 0 {
			t.Fatalf("the feed ends after %d events, %v", n, err)
		}
		for _, text := range got {
			var e struct{ Sequence string }
			err := json.Unmarshal(text, &e)
			if err == nil && e.Sequence == "" {
				continue // an alarm of the hub about the disk of this machine
			}
			if n++; err != nil || e.Sequence != fmt.Sprintf("%020d", n) {
				t.Fatalf("event %d of the feed is %s, %v", n, e.Sequence, err)
			}
		}
		if err := backend.AckFeed(t.Context(), "backend", cursor); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err := backend.Feed(t.Context(), "backend", 1, 0); err != nil || len(got) != 0 {
		t.Errorf("%d events more than there were, %v", len(got), err)
	}
	if strings.Contains(log.String(), "events are missing") {
		t.Errorf("a batch came before the one ahead of it:\n%s", log.String())
	}
	t.Logf("%d batches, %d connections cut", began.Load(), line.cuts.Load())
	if most.Load() != 2 || line.cuts.Load() < 2 {
		t.Errorf("%d batches were under way at once, %d connections were cut", most.Load(), line.cuts.Load())
	}
}

// acks is an outbox that reports acknowledgements to the test.
type acks struct {
	*store.Store
	heard func(through uint64)
}

func (a acks) Ack(through uint64) error {
	err := a.Store.Ack(through)
	a.heard(through)
	return err
}

// lockedBuffer is a buffer that many goroutines may write.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
