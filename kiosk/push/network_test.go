package push_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

var (
	networkEvents = flag.Int("network.events", 150, "events of TestNetwork")
	networkSeed   = flag.Uint64("network.seed", 0, "what goes wrong in TestNetwork; 0 draws one")
)

// badNetwork is a proxy between kiosk and hub that has the keys of both. It does
// to requests what bad networks do to connections.
type badNetwork struct {
	hub string // URL
	to  *http.Client

	mu     sync.Mutex
	random *rand.Rand
	late   [][]byte       // bodies that are delivered later
	did    map[string]int // number of requests by fate
}

// fates are the things that can happen to a request. Enough of them are "passed"
// for the test to end.
var fates = []string{
	"passed", "passed", "passed", "passed", "passed", "passed", "passed", "cut before", "cut within", "answer lost", "answer cut", "stalled", "duplicated", "late",
}

func (n *badNetwork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	n.mu.Lock()
	fate := fates[n.random.IntN(len(fates))]
	n.did[fate]++
	pause := time.Duration(n.random.IntN(20)) * time.Millisecond
	n.mu.Unlock()
	cut := func() { panic(http.ErrAbortHandler) } // resets the connection
	switch fate {
	case "cut before":
		cut()
	case "cut within":
		n.deliver(r.Context(), body[:len(body)/2])
		cut()
	case "answer lost":
		n.deliver(r.Context(), body)
		cut()
	case "stalled":
		<-time.After(pause)
		cut()
	case "late":
		// The hub receives it after the kiosk's retry.
		n.mu.Lock()
		n.late = append(n.late, body)
		n.mu.Unlock()
		cut()
	case "duplicated":
		n.deliver(r.Context(), body)
	}
	status, header, answer := n.deliver(r.Context(), body)
	if status == 0 {
		cut()
	}
	w.Header().Set("Content-Type", header)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	if fate == "answer cut" {
		_, _ = w.Write(answer[:len(answer)/2])
		cut()
	}
	_, _ = w.Write(answer)
	n.mu.Lock()
	late := n.late
	n.late = nil
	n.mu.Unlock()
	for _, body := range late {
		n.deliver(context.WithoutCancel(r.Context()), body)
	}
}

// deliver sends a body to the hub and returns its answer. status is 0 if the hub
// did not answer.
func (n *badNetwork) deliver(ctx context.Context, body []byte) (status int, media string, answer []byte) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.hub+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, "", nil
	}
	r.Header.Set("Content-Type", hubapi.MediaEvents)
	r.Header.Set("Content-Encoding", "gzip")
	response, err := n.to.Do(r)
	if err != nil {
		return 0, "", nil
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, "", nil
	}
	return response.StatusCode, response.Header.Get("Content-Type"), answer
}

func serveTLS(t *testing.T, config *tls.Config, h http.Handler) (url string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return "https://" + l.Addr().String()
}

// testCards makes the cards once, because it takes long.
var testCards = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(time.Now()) })

func cards(t testing.TB) *testpki.PKI {
	t.Helper()
	pki, err := testCards()
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

// makeHub makes the folder of a hub that has a kiosk and a consumer.
func makeHub(t testing.TB) (dir, url string) {
	t.Helper()
	dir, trust := filepath.Join(t.TempDir(), "hub"), filepath.Join(t.TempDir(), "pki")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	url = "https://" + l.Addr().String()
	if err := errors.Join(cards(t).Write(trust), hub.Init(dir, hub.InitOptions{Listen: l.Addr().String(), URL: url, Trust: trust})); err != nil {
		t.Fatal(err)
	}
	_, kioskErr := hub.AddKiosk(dir, "k1")
	_, consumerErr := hub.AddConsumer(dir, "backend")
	if err := errors.Join(kioskErr, consumerErr); err != nil {
		t.Fatal(err)
	}
	return dir, url
}

// startHub makes a durable hub and serves it.
func startHub(t testing.TB) (dir, url string) {
	t.Helper()
	dir, url = makeHub(t)
	l, err := net.Listen("tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	serveHub(t, dir, l)
	return dir, url
}

// serveHub serves the hub in a folder until the test ends or stop is called.
func serveHub(t testing.TB, dir string, l net.Listener) (stop func()) {
	t.Helper()
	return serveHubLog(t, dir, l, slog.New(slog.DiscardHandler))
}

func serveHubLog(t testing.TB, dir string, l net.Listener, log *slog.Logger) (stop func()) {
	t.Helper()
	config, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), config, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- h.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() { end(); <-served; h.Close() })
	t.Cleanup(stop)
	return stop
}

// kioskCredentials reads the credentials that the hub issued to a kiosk.
func kioskCredentials(t testing.TB, bundle string) *hubapi.Credentials {
	t.Helper()
	c, err := hubapi.LoadCredentials(filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), filepath.Join(bundle, "kiosk.key"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newJournal returns a journal that writes the events of kiosk k1 into outbox.
func newJournal(t testing.TB, hubFolder string, credentials *hubapi.Credentials, outbox *store.Store) *journal.Journal {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(hubFolder, "kiosks", "k1", "hub-seal.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	return &journal.Journal{Sealer: sealer(t, credentials, text), Outbox: outbox, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
}

// sealer seals the events of kiosk k1. seal is the hub's public key.
func sealer(t testingT, credentials *hubapi.Credentials, seal []byte) *event.Sealer {
	t.Helper()
	var key jose.JSONWebKey
	if err := json.Unmarshal(seal, &key); err != nil {
		t.Fatal(err)
	}
	s, err := event.NewSealer("k1", credentials.Key, &key)
	if err != nil {
		t.Fatal(err)
	}
	return s
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

// Whatever the network does to the connections, the feed contains each event once,
// in order and unchanged. The long run is
//
//	go test -run Network ./kiosk/push -network.events 10000
func TestNetwork(t *testing.T) {
	seed := *networkSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-network.seed %d", seed)
	dir, hubURL := startHub(t)
	credentials := kioskCredentials(t, filepath.Join(dir, "kiosks", "k1"))
	config, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	network := &badNetwork{
		hub: hubURL, random: rand.New(rand.NewPCG(seed, 1)), did: map[string]int{},
		to: &http.Client{Transport: &http.Transport{TLSClientConfig: credentials.TLS.Clone()}},
	}
	through := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{config.Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: config.Clients,
	}, network)

	outbox, err := store.Open(filepath.Join(t.TempDir(), "outbox.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close()
	j := newJournal(t, dir, credentials, outbox)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	pusher := push.Pusher{
		Queue: outbox, Send: hubapi.NewClient(through, credentials.TLS).SendEventsInTurn, Log: slog.New(slog.DiscardHandler),
		Busy: func() bool { return true }, // makes many small batches, so that many faults occur
		DeadLetter: func(sequence uint64, problem string) error {
			return fmt.Errorf("event %d is good: %s", sequence, problem)
		},
	}
	pushed := make(chan error, 1)
	go func() { pushed <- pusher.Run(ctx) }()
	for i := range *networkEvents {
		if err := j.Write(t.Context(), kiosk.Record{Visit: fmt.Sprintf("v%d", i+1), Outcome: kiosk.Granted}); err != nil {
			t.Fatal(err)
		}
	}

	_, consumer, err := hub.Consumer(dir, "backend")
	if err != nil {
		t.Fatal(err)
	}
	client := hubapi.NewClient(hubURL, consumer.TLS)
	for n := 0; n < *networkEvents+1; { // the first event announces the epoch
		events, cursor, err := client.Feed(t.Context(), "backend", 1000, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range events {
			var e struct {
				Sequence string
				Data     event.Visit
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			if e.Sequence == "" {
				continue // an alarm of the hub about the disk of this machine
			}
			n++
			if e.Sequence != fmt.Sprintf("%020d", n) || n > 1 && e.Data.Visit != fmt.Sprintf("v%d", n-1) {
				t.Fatalf("event %d of the feed is %s, visit %s", n, e.Sequence, e.Data.Visit)
			}
		}
		if err := client.AckFeed(t.Context(), "backend", cursor); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-pushed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if events, _, err := client.Feed(t.Context(), "backend", 1, 0); err != nil || len(events) != 0 {
		t.Errorf("%d events more than there were, %v", len(events), err)
	}
	network.mu.Lock()
	defer network.mu.Unlock()
	t.Logf("of the requests: %v", network.did)
	for _, fate := range fates {
		if network.did[fate] == 0 && *networkEvents > 1000 {
			t.Errorf("no request was %s", fate)
		}
	}
}
