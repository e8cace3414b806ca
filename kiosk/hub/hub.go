package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Hub is a running hub. Its methods may be called by many goroutines at once.
type Hub struct {
	config   Config
	log      *slog.Logger
	embedded *embedded // nil with Config.Conn
	js       jetstream.JetStream

	validator  Validator
	rules      *rules.File
	admissions http.RoundTripper // to the operator's own system
	challenges jetstream.KeyValue
	cursors    jetstream.KeyValue
	known      jetstream.KeyValue // nil unless offline rules ask for it
	events     jetstream.Stream
	turns      precedence
	lasts      sync.Map // kiosk's id → stored: its last event when this hub last looked
	now        func() time.Time
	rand       io.Reader

	stop    context.CancelFunc // ends what runs beside
	running sync.WaitGroup
}

// Names in JetStream.
const (
	eventsStream  = "smartkiosk-events"
	eventsSubject = "smartkiosk.events." // + the kiosk's id
	// and reviewsSubject, see review.go
	challengesBucket = "smartkiosk-challenges"
	cursorsBucket    = "smartkiosk-cursors"
)

// challengeMemory is how long a challenge is remembered after it was made or
// spent, so that a late one is told from one that never was.
const challengeMemory = time.Hour

// lookInterval is how often the rules and the sealing keys are looked at.
const lookInterval = 2 * time.Second

// Open starts a hub, with JetStream in cfg.JetStream or behind cfg.Conn. ctx
// bounds the start alone. Close it after Serve has returned.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Hub, error) {
	h := &Hub{
		config:    cfg,
		log:       log,
		validator: cfg.Trust,
		rules:     cfg.Rules,
		now:       cfg.Now,
		rand:      cfg.Rand,
	}
	h.admissions = http.DefaultTransport
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	conn := cfg.Conn
	if conn == nil {
		var err error
		if h.embedded, err = startEmbedded(cfg.JetStream, log); err != nil {
			stop()
			return nil, err
		}
		conn = h.embedded.conn
	}
	if err := h.attach(ctx, conn); err != nil {
		h.Close()
		return nil, fmt.Errorf("cannot prepare JetStream: %w", err)
	}
	crls, err := newCRLFetcher(cfg.Trust, cfg.CRLs, cfg.CRLsEvery, http.DefaultTransport, cfg.Now, log)
	if err != nil {
		h.Close()
		return nil, err
	}
	h.running.Go(func() { h.rules.Watch(beside, lookInterval, log) })
	h.running.Go(func() { h.config.Seal.Run(beside, lookInterval, log) })
	h.running.Go(func() { crls.run(beside) })
	h.running.Go(func() { h.review(beside) })
	return h, nil
}

// attach finds or makes the stream and the buckets.
func (h *Hub) attach(ctx context.Context, conn *nats.Conn) (err error) {
	if h.js, err = jetstream.New(conn); err != nil {
		return err
	}
	h.events, err = h.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:     eventsStream,
		Subjects: []string{eventsSubject + "*", reviewsSubject + "*"},
		Storage:  jetstream.FileStorage,
		// No AllowDirect: a follower's late view of a kiosk's last event would
		// be answered to the kiosk as a gap.
	})
	if err != nil {
		return err
	}
	h.challenges, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: challengesBucket, Storage: jetstream.FileStorage, TTL: challengeMemory,
	})
	if err != nil {
		return err
	}
	h.cursors, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: cursorsBucket, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return err
	}
	return h.attachKnown(ctx)
}

// Close stops what Open started.
func (h *Hub) Close() {
	h.stop()
	h.running.Wait()
	if h.embedded != nil {
		h.embedded.close()
	}
}

// Bounds on connections. The longest answer is a long poll's.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = hubapi.MaxWait + 30*time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeader       = 16 << 10 // bytes
)

// Serve answers on ln, by mutual TLS 1.3 alone, until ctx ends, and closes ln.
// Requests under way are answered first; long polls end with what they have.
// It may serve several listeners at once.
func (h *Hub) Serve(ctx context.Context, ln net.Listener) error {
	var fresh freshConns
	srv := &http.Server{
		ConnState: fresh.note,
		Handler:   h.Handler(),
		TLSConfig: h.tls(),
		// Requests are answered after ctx has ended; only long polls, which
		// look for it, are cut short.
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), serving{}, ctx)
		},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelInfo),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		fresh.close()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, srv.Close())
		}
		stopped <- err
	})
	err := srv.ServeTLS(ln, "", "")
	if stop() {
		return fmt.Errorf("cannot serve: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("cannot stop serving in time: %w", err)
	}
	return nil
}

// freshConns are the connections that nothing was asked on yet. Shutdown would
// wait five seconds for a request on each, though a client that gave up while
// it dialled never sends one.
type freshConns struct {
	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	closing bool
}

// note is an http.Server's ConnState.
func (f *freshConns) note(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(f.conns, c)
	case f.closing:
		_ = c.Close()
	default:
		if f.conns == nil {
			f.conns = map[net.Conn]struct{}{}
		}
		f.conns[c] = struct{}{}
	}
}

func (f *freshConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closing = true
	for c := range f.conns {
		_ = c.Close()
	}
}

func (h *Hub) tls() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{h.config.Certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    h.config.Clients,
	}
}

// serving is the key in a request's context of the context that ends when the
// hub is to stop.
type serving struct{}

// whileServing gives a request's context that ends with Serve's too.
func whileServing(request context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(request)
	if serve, ok := request.Value(serving{}).(context.Context); ok {
		stop := context.AfterFunc(serve, cancel)
		return ctx, func() { stop(); cancel() }
	}
	return ctx, cancel
}
