package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// realHub is a running hub.
type realHub struct {
	t        *testing.T
	dir, url string
	consumer *hubapi.Client
}

func newRealHub(t *testing.T) *realHub {
	t.Helper()
	dir, trust := filepath.Join(t.TempDir(), "hub"), filepath.Join(t.TempDir(), "pki")
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &realHub{t: t, dir: dir, url: "https://" + l.Addr().String()}
	err = errors.Join(pki.Write(trust), hub.Init(dir, hub.InitOptions{Listen: l.Addr().String(), URL: h.url, Trust: trust, Offline: hubpolicy.Trusted}))
	if err == nil {
		_, err = hub.AddConsumer(dir, "backend")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, backend, err := hub.Consumer(dir, "backend")
	if err != nil {
		t.Fatal(err)
	}
	h.consumer = hubapi.NewClient(h.url, backend.TLS)
	config, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := hub.Open(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- opened.Serve(ctx, l) }()
	t.Cleanup(func() { end(); <-served; opened.Close() })
	return h
}

// hubbed is a kiosk's outbox that is connected to a real hub.
type hubbed struct {
	t       *testing.T
	client  *hubapi.Client
	journal *journal.Journal
	outbox  *store.Store
}

// kiosk adds a kiosk to the hub.
func (h *realHub) kiosk(t *testing.T, id string) *hubbed {
	t.Helper()
	bundle, err := hub.AddKiosk(h.dir, id)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(bundle, name) }
	credentials, err := hubapi.LoadCredentials(file("hub-ca.pem"), file("kiosk.pem"), file("kiosk.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := sealkey.ReadPublic(file("hub-seal.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := event.NewSealer(id, credentials.Key, &key.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	return &hubbed{t: t, client: hubapi.NewClient(h.url, credentials.TLS), journal: &journal.Journal{Sealer: sealer, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}}
}

// open makes the kiosk continue with the outbox at path.
func (k *hubbed) open(path string) {
	k.t.Helper()
	var err error
	if k.outbox, err = store.Open(path, store.Options{}); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = k.outbox.Close() })
	k.journal.Outbox = k.outbox
}

// visit records one visit for each name.
func (k *hubbed) visit(names ...string) {
	k.t.Helper()
	for _, name := range names {
		if err := k.journal.Record(k.t.Context(), kiosk.Record{Visit: name, Outcome: kiosk.Denied}); err != nil {
			k.t.Fatal(err)
		}
	}
}

// request returns the batch of events with these sequence numbers.
func (k *hubbed) request(from, through uint64) (batch []json.RawMessage) {
	k.t.Helper()
	records, err := k.outbox.Records(from-1, int(through-from)+1)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, r := range records {
		batch = append(batch, r.Data)
	}
	return batch
}

// arrives sends a batch to the hub.
func (k *hubbed) arrives(batch []json.RawMessage) error {
	_, err := k.client.SendEvents(k.t.Context(), batch)
	return err
}

// push sends all events of the outbox to the hub.
func (k *hubbed) push() {
	k.t.Helper()
	ctx, stop := context.WithTimeout(k.t.Context(), 30*time.Second)
	defer stop()
	p := push.Pusher{Queue: drained{k.outbox, stop}, Send: k.client.SendEventsInTurn, Log: slog.New(slog.DiscardHandler)}
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		k.t.Fatalf("%v; %d events are left", err, k.outbox.Len())
	}
}

// drained is an outbox that signals when it is empty.
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

// stories returns the content of the feed as text for each kiosk, by its source.
// Consecutive lost events are counted. It fails the test if the feed has a gap.
func (h *realHub) stories() map[string]string {
	h.t.Helper()
	all, last, lost := map[string]string{}, map[string]uint64{}, map[string]int{}
	for {
		texts, cursor, err := h.consumer.Feed(h.t.Context(), "backend", 1000, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(texts) == 0 {
			return all
		}
		if err := h.consumer.AckFeed(h.t.Context(), "backend", cursor); err != nil {
			h.t.Fatal(err)
		}
		for _, text := range texts {
			var e struct {
				Source, Type, Sequence string
				Data                   struct{ Visit, Kiosk string }
			}
			if err := json.Unmarshal(text, &e); err != nil {
				h.t.Fatal(err)
			}
			if e.Type == event.TypeKept {
				all["urn:smartkiosk:kiosk:"+e.Data.Kiosk] += "kept "
				continue
			}
			n, err := strconv.ParseUint(e.Sequence, 10, 64)
			if last[e.Source]++; err != nil || n != last[e.Source] {
				h.t.Fatalf("%s: event %s instead of %d", e.Source, e.Sequence, last[e.Source])
			}
			if e.Type == event.TypeLost {
				lost[e.Source]++
				continue
			}
			if n := lost[e.Source]; n > 0 {
				all[e.Source] += fmt.Sprintf("%d lost ", n)
			}
			all[e.Source] += e.Data.Visit + " "
			lost[e.Source] = 0
		}
	}
}

// TestLateRequest loses outbox and records while earlier requests are still on their
// way. Whenever they arrive, their events must not take the place of new ones, and they
// must not block later events.
func TestLateRequest(t *testing.T) {
	theHub := newRealHub(t)
	tests := []struct {
		kiosk         string
		before, after [][2]uint64 // requests that arrive before and after the kiosk's new events
		want          string
	}{
		{"before", [][2]uint64{{3, 3}, {3, 5}}, nil, "a b c d e kept 497 lost x y z "},
		{"between", [][2]uint64{{3, 3}}, [][2]uint64{{3, 5}, {4, 5}}, "a b c kept 499 lost x y z "},
	}
	for _, tt := range tests {
		k := theHub.kiosk(t, tt.kiosk)
		k.open(filepath.Join(t.TempDir(), "outbox.db"))
		k.visit("a", "b", "c", "d", "e")
		if err := k.arrives(k.request(1, 2)); err != nil {
			t.Fatal(err)
		}
		requests := func(ranges [][2]uint64) (all [][]json.RawMessage) {
			for _, r := range ranges {
				all = append(all, k.request(r[0], r[1]))
			}
			return all
		}
		before, after := requests(tt.before), requests(tt.after)

		path := filepath.Join(t.TempDir(), "outbox.db")
		o := outboxOpening{path: path, journal: k.journal, send: k.client.SendEvents, watchdog: &watchdog{}, log: slog.New(slog.DiscardHandler)}
		if err := o.begin(t.Context(), highWater{}); err != nil {
			t.Fatal(err)
		}
		k.open(path)
		k.visit("x", "y")
		for _, r := range before {
			if err := k.arrives(r); err != nil {
				t.Fatal(err)
			}
		}
		k.push()
		for _, r := range after {
			if problem, ok := errors.AsType[*hubapi.Problem](k.arrives(r)); !ok || problem.Type != hubapi.KindConflict {
				t.Errorf("%s: after the new events the hub says %v", tt.kiosk, problem)
			}
		}
		k.visit("z")
		k.push()
	}
	stories := theHub.stories()
	for _, tt := range tests {
		if got := stories["urn:smartkiosk:kiosk:"+tt.kiosk]; got != tt.want {
			t.Errorf("%s: the feed has %q, want %q", tt.kiosk, got, tt.want)
		}
	}
}
