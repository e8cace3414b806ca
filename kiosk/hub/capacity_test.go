package hub

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// What one hub can do, compared in the same run with the least that the work costs: checking
// signatures, and writing to JetStream. The clients run in the same process and use its
// processors too. Cards do not: their signatures are made before.

const (
	capacityClients = 32
	capacityTokens  = 4000 // authentications in one measurement
	capacityEvents  = 200  // batches of 100
)

// counted is a source of nonces that are known before.
type counted struct{ n atomic.Uint64 }

func (c *counted) Read(p []byte) (int, error) {
	fillNonce(p, c.n.Add(1))
	return len(p), nil
}

func fillNonce(p []byte, n uint64) {
	clear(p)
	if len(p) >= 8 {
		binary.BigEndian.PutUint64(p[len(p)-8:], n)
	}
}

// capacityBed is a hub with its own JetStream on the disk of the temporary folder.
type capacityBed struct {
	*bed
	hub    *Hub
	url    string
	tokens map[string][]byte // by nonce
	nonces *counted
}

func newCapacityBed(b *testing.B) *capacityBed {
	b.Helper()
	c := &capacityBed{bed: &bed{t: b, dir: newFolder(b), replicas: 1}, tokens: map[string][]byte{}, nonces: &counted{}}
	cfg, err := Load(c.dir)
	if err != nil {
		b.Fatal(err)
	}
	cfg.Rand = c.nonces
	if c.hub, err = Open(b.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	c.conn = c.hub.conn
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := c.hub.Serve(ctx, ln); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() { stop(); serving.Wait(); c.hub.Close() })
	c.url = "https://" + ln.Addr().String()
	return c
}

// sign makes the tokens for the next nonces.
func (c *capacityBed) sign(n int) {
	c.t.Helper()
	clear(c.tokens)
	first := c.nonces.n.Load()
	var mu sync.Mutex
	c.inParallel(n, func(i int) {
		raw := make([]byte, 32)
		fillNonce(raw, first+uint64(i)+1)
		nonce := base64.StdEncoding.EncodeToString(raw)
		signed := token(c.t, "valid", nonce)
		mu.Lock()
		defer mu.Unlock()
		c.tokens[nonce] = signed
	})
}

// inParallel calls f with 0 to n-1 from capacityClients goroutines.
func (c *capacityBed) inParallel(n int, f func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range capacityClients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}

// enrol registers kiosks.
func (c *capacityBed) enrol(first, n int) (kiosks []*party) {
	c.t.Helper()
	kiosks = make([]*party, n)
	c.inParallel(n, func(i int) {
		kiosks[i] = c.holder(c.url, hubapi.Identity{Role: hubapi.RoleKiosk, Name: fmt.Sprintf("k%05d", first+i)}, true)
	})
	return kiosks
}

// authenticate lets a holder in.
func (c *capacityBed) authenticate(k *party) error {
	challenge, err := k.Challenge(c.t.Context())
	if err != nil {
		return err
	}
	v, err := k.Authenticate(c.t.Context(), "v", challenge.Nonce, c.tokens[challenge.Nonce])
	if err == nil && !v.Granted {
		err = fmt.Errorf("denied: %s", v.Reason)
	}
	return err
}

// rate measures authentications a second with kiosks that call as fast as they can.
func (c *capacityBed) rate(kiosks []*party, n int) float64 {
	c.t.Helper()
	c.sign(n)
	began := time.Now()
	c.inParallel(n, func(i int) {
		if err := c.authenticate(kiosks[i%len(kiosks)]); err != nil {
			c.t.Error(err)
		}
	})
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkCapacity measures what one hub can do.
func BenchmarkCapacity(b *testing.B) {
	c := newCapacityBed(b)
	kiosks := c.enrol(0, 200) // enough for the limits of each
	var most float64
	b.Run("verification", func(b *testing.B) {
		nonce := base64.StdEncoding.EncodeToString(make([]byte, 32))
		signed := token(b, "valid", nonce)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := c.hub.validator.Verify(signed, nonce, time.Now()); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
	b.Run("authentications", func(b *testing.B) {
		for b.Loop() {
			most = c.rate(kiosks, capacityTokens)
		}
		b.ReportMetric(most, "auths/s")
	})
	b.Run("half-load", func(b *testing.B) {
		n := max(200, int(most/2*5)) // 5 s
		for b.Loop() {
			c.sign(n)
			times := make([]time.Duration, n)
			began := time.Now()
			var all sync.WaitGroup
			for i := range n {
				due := began.Add(time.Duration(float64(i) / (most / 2) * float64(time.Second)))
				time.Sleep(time.Until(due))
				all.Go(func() {
					k := kiosks[i%len(kiosks)]
					challenge, err := k.Challenge(b.Context())
					if err != nil {
						b.Error(err)
						return
					}
					start := time.Now() // the challenge is prefetched while the PIN is typed
					if _, err := k.Authenticate(b.Context(), "v", challenge.Nonce, c.tokens[challenge.Nonce]); err != nil {
						b.Error(err)
					}
					times[i] = time.Since(start)
				})
			}
			all.Wait()
			slices.Sort(times)
			b.ReportMetric(float64(times[n/2]), "median-ns")
			b.ReportMetric(float64(times[n*99/100]), "p99-ns")
		}
	})
	b.Run("publish", func(b *testing.B) {
		js := c.jetStream()
		stream, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "bare", Subjects: []string{"bare.>"}, Storage: jetstream.FileStorage})
		if err != nil {
			b.Fatal(err)
		}
		message := make([]byte, 1500) // as one event
		for b.Loop() {
			began := time.Now()
			c.inParallel(capacityTokens, func(i int) {
				if _, err := js.Publish(b.Context(), fmt.Sprintf("bare.%d", i%capacityClients), message); err != nil {
					b.Error(err)
				}
			})
			b.ReportMetric(capacityTokens/time.Since(began).Seconds(), "messages/s")
		}
		if err := js.DeleteStream(b.Context(), stream.CachedInfo().Config.Name); err != nil {
			b.Fatal(err)
		}
	})
	senders := c.senders(kiosks[:capacityClients])
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("events-%d", size), func(b *testing.B) {
			n := capacityEvents
			if size == 1 {
				n = 2000
			}
			for b.Loop() {
				batches := make([][]json.RawMessage, n)
				for i := range batches {
					batches[i] = senders[i%len(senders)].events(size)
				}
				began := time.Now()
				var all sync.WaitGroup
				for s := range senders {
					all.Go(func() {
						for i := s; i < n; i += len(senders) {
							if _, err := senders[s].SendEvents(b.Context(), batches[i]); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(n*size)/time.Since(began).Seconds(), "events/s")
			}
		})
	}
}

// senders returns kiosks that seal events.
func (c *capacityBed) senders(kiosks []*party) (senders []*party) {
	c.t.Helper()
	seal := c.publicSeal()
	for _, k := range kiosks {
		s := *k
		var err error
		if s.seal, err = event.NewSealer(s.id, s.key, seal); err != nil {
			c.t.Fatal(err)
		}
		senders = append(senders, &s)
	}
	return senders
}

// BenchmarkFleet measures what enrolled kiosks cost: memory, and time of a visit.
func BenchmarkFleet(b *testing.B) {
	for b.Loop() {
		c := newCapacityBed(b)
		before := heap()
		kiosks := c.enrol(0, 10)
		few := c.rate(kiosks, 800)
		for first := 10; first < 10_000; first += 999 {
			for _, k := range c.enrol(first, 999) {
				k.Client = nil // it is idle, and this process need not hold it
			}
		}
		many := c.rate(kiosks, 800)
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		b.ReportMetric(few, "few/s")
		b.ReportMetric(many, "many/s")
		b.ReportMetric(few/many, "cost-ratio")
	}
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
