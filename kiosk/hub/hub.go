package hub

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/hub/login"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Hub is a running hub. It is safe for concurrent use.
type Hub struct {
	config   Config
	log      *slog.Logger
	embedded *embedded  // nil if the JetStream is external
	keeper   *keeper    // of embedded; nil without it
	external *nats.Conn // to the JetStream of Config.NATS
	conn     *nats.Conn
	js       jetstream.JetStream

	validator  Validator
	rules      *rules.File
	webhooks   http.RoundTripper // carries requests to the operator's own system
	challenges jetstream.KeyValue
	cursors    jetstream.KeyValue
	revoked    jetstream.KeyValue
	evidence   jetstream.KeyValue
	marks      jetstream.KeyValue
	known      jetstream.KeyValue // nil unless the offline rule is "known"
	holders    *holders
	logins     *login.Service // nil without brokers
	documents  documents
	events     eventLog
	identities *identities
	codes      *codes
	sightings  *sightings
	rollouts   *rollouts
	questions  *questions
	scheduler  scheduler
	limiter    *limiter
	abuse      *abuseLog
	metrics    *metrics
	crls       *crlFetcher
	own        ownCertificate
	rolledBack sync.Map // id of an alarm → *lostPlace
	histories  sync.Map // kiosk ID → *history: a cache; another hub may have stored later events
	now        func() time.Time
	rand       io.Reader

	stop    context.CancelFunc // ends the background tasks
	running sync.WaitGroup
}

// Names in JetStream.
const (
	eventsStream     = "smartkiosk-events"
	eventsSubject    = "smartkiosk.events." // + the kiosk's ID, and more: see mainSubject
	challengesBucket = "smartkiosk-challenges"
	cursorsBucket    = "smartkiosk-cursors"
)

// EventsStream is the name of the stream of events in JetStream.
const EventsStream = eventsStream

// challengeMemory is how long the hub remembers a challenge after it was made or
// spent, so that it can tell an expired nonce from one that it never made.
const challengeMemory = time.Hour

// reloadInterval is how often the hub checks whether the rules file and the sealing
// keys have changed.
const reloadInterval = 2 * time.Second

// Open starts a hub on the JetStream behind cfg.Conn, on the external one of cfg.NATS, or
// on an embedded JetStream in the folder cfg.JetStream. ctx bounds the start only. The
// caller closes the hub after Serve has returned.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Hub, error) {
	h := &Hub{
		config:    cfg,
		log:       log,
		validator: cfg.Trust,
		rules:     cfg.Rules,
		now:       cfg.Now,
		rand:      cfg.Rand,
		limiter:   newLimiter(),
		abuse:     &abuseLog{log: log},
	}
	h.own.current.Store(&h.config.Certificate)
	h.webhooks = http.DefaultTransport
	h.metrics = newMetrics(h)
	var err error
	if h.holders, err = newHolders(cfg.Sign); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	conn := cfg.Conn
	var native *nativeListener
	switch {
	case conn != nil:
	case cfg.NATS.URL != "":
		if err = checkMoved(cfg.Folder); err == nil {
			conn, err = cfg.NATS.connect(cfg.Folder)
		}
		if err != nil {
			stop()
			return nil, err
		}
		h.external = conn
	default:
		var open access = closed{}
		if cfg.NATS.Listen != "" {
			config := h.tls()
			config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return h.own.use(h.tls()), nil }
			native = newNativeListener(cfg.NATS.Listen, config, h.check)
			open = native
		}
		if h.embedded, err = startWith(cfg.JetStream, byHub, open, log); err != nil {
			stop()
			return nil, err
		}
		conn = h.embedded.conn
		h.keeper = newKeeper(h.embedded, log)
		h.keeper.prove, h.keeper.rose, h.keeper.back = h.putHealth, h.alarmAboutDisk, h.alarmAboutPause
	}
	// Without a deadline each call would have 5 s, too few for a slow disk at the start.
	attaching, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := h.attach(attaching, conn); err != nil {
		h.Close()
		return nil, fmt.Errorf("cannot prepare JetStream: %w", err)
	}
	if native != nil {
		native.open()
		h.identities.serve(native)
	}
	if ocsp := cfg.Trust.ocsp; ocsp != nil {
		ocsp.OnRevoked = h.revokedByOCSP
	}
	h.crls, err = newCRLFetcher(cfg.Trust, cfg.CRLs, cfg.CRLsEvery, http.DefaultTransport, cfg.Now, log)
	if err != nil {
		h.Close()
		return nil, err
	}
	if h.keeper != nil {
		if h.keeper.level, err = h.alarmedLevel(attaching); err != nil {
			h.Close()
			return nil, err
		}
		h.runInBackground(background, "store", h.keeper.run)
	}
	h.runInBackground(background, "rules", func(ctx context.Context) { h.rules.Watch(ctx, reloadInterval, log, h.rulesChanged) })
	h.rulesChanged(h.rules.Rules())
	h.runInBackground(background, "hashes of holders", h.hashHolders)
	h.runInBackground(background, "sealing keys", func(ctx context.Context) { h.config.Seal.Run(ctx, reloadInterval, log) })
	h.runInBackground(background, "CRLs", h.crls.run)
	if cfg.Folder != "" {
		h.runInBackground(background, "trust domains", h.watchTrust)
		h.runInBackground(background, "the hub's certificate", h.watchCertificate)
	}
	h.runInBackground(background, "reviews", h.review)
	h.runInBackground(background, "retention", h.retain)
	h.runInBackground(background, "revocations from OCSP", h.watchRevoked)
	h.runInBackground(background, "registered certificates", h.watchIdentities)
	h.runInBackground(background, "copy of the certificates", h.copyIdentities)
	h.runInBackground(background, "codes", h.watchCodes)
	h.runInBackground(background, "sightings", h.watchSightings)
	h.runInBackground(background, "updates", h.watchRollouts)
	h.runInBackground(background, "questions to kiosks", h.watchQuestions)
	if cfg.Brokers != nil {
		h.runInBackground(background, "certificates for phones and brokers", h.watchCertificates)
		h.runInBackground(background, "brokers", func(ctx context.Context) { cfg.Brokers.Run(ctx, reloadInterval, log) })
	}
	return h, nil
}

// panicPause is how long a background task that panicked stays stopped.
const panicPause = 5 * time.Second

// runInBackground runs a task until ctx ends. If the task panics, the hub logs it and
// starts the task again, because a bug in one task must not end the whole hub.
func (h *Hub) runInBackground(ctx context.Context, name string, task func(context.Context)) {
	h.running.Go(func() {
		for h.panics(ctx, name, task) {
			select {
			case <-time.After(panicPause):
			case <-ctx.Done():
				return
			}
		}
	})
}

// panics runs a task and reports whether it panicked.
func (h *Hub) panics(ctx context.Context, name string, task func(context.Context)) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("background task panicked", "task", name, "err", v, "stack", string(debug.Stack()))
			panicked = true
		}
	}()
	task(ctx)
	return false
}

// attach opens the stream and the buckets, and creates those that are missing.
func (h *Hub) attach(ctx context.Context, conn *nats.Conn) (err error) {
	h.conn = conn
	if h.js, err = openJetStream(conn, h.replicas()); err != nil {
		return err
	}
	if h.events, err = openEvents(ctx, h.js); err != nil {
		return err
	}
	h.challenges, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: challengesBucket, Storage: jetstream.FileStorage, TTL: challengeMemory,
	})
	if err != nil {
		return err
	}
	if h.cursors, err = openCursors(ctx, h.js); err != nil {
		return err
	}
	for _, attach := range []func(context.Context) error{func(ctx context.Context) error { return h.holders.attach(ctx, h.js) }, h.attachRevoked, h.attachReviews, h.attachMarks, h.attachKnown, h.attachIdentities, h.attachCodes, h.attachSightings, h.attachLogins, h.attachRollouts, h.attachQuestions, h.attachDocuments} {
		if err := attach(ctx); err != nil {
			return err
		}
	}
	return nil
}

// streamIDKey is the key of the identity of a stream in its metadata.
const streamIDKey = "smartkiosk-id"

// openEvents opens the stream of events and its archive, or creates them.
func openEvents(ctx context.Context, js jetstream.JetStream) (l eventLog, err error) {
	if l.Stream, err = openStream(ctx, js); err != nil {
		return l, err
	}
	info := l.CachedInfo()
	if l.archive, err = openArchive(ctx, js, streamID(info)); err != nil {
		return l, err
	}
	if back, err := l.wentBack(ctx, info); err != nil || back == nil {
		return l, err
	}
	// What the archive has is of another stream.
	config := info.Config
	config.Metadata = map[string]string{streamIDKey: newStreamID()}
	if l.Stream, err = js.CreateOrUpdateStream(ctx, config); err != nil {
		return l, err
	}
	l.archive, err = openArchive(ctx, js, config.Metadata[streamIDKey])
	return l, err
}

func newStreamID() string { return strings.ToLower(rand.Text()) }

// openStream opens the stream of events, or creates it.
func openStream(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	config := jetstream.StreamConfig{
		Name:     eventsStream,
		Subjects: []string{eventsSubject + ">", reviewsSubject + ">", alarmsSubject + "*", signaturesSubject + "*"},
		Storage:  jetstream.FileStorage,
		// No AllowDirect: a follower may not know a kiosk's last event yet, and the
		// kiosk would get an answer about a gap that does not exist.
	}
	for {
		events, err := js.Stream(ctx, eventsStream)
		switch {
		case err == nil:
			is, id := events.CachedInfo(), streamID(events.CachedInfo())
			if is.Config.Metadata[streamIDKey] == id && slices.Equal(is.Config.Subjects, config.Subjects) && is.Config.Replicas == replicasOf(js) {
				return events, nil // an update would disturb other hubs
			}
			config.Metadata = map[string]string{streamIDKey: id}
			return js.CreateOrUpdateStream(ctx, config)
		case !errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, err
		}
		config.Metadata = map[string]string{streamIDKey: newStreamID()}
		events, err = js.CreateStream(ctx, config)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return events, err
		}
		// Another hub was faster.
	}
}

// openCursors opens the bucket of the readers' cursors, or creates it.
func openCursors(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: cursorsBucket, Storage: jetstream.FileStorage})
}

// Close stops the background tasks and the embedded JetStream.
func (h *Hub) Close() {
	h.stop()
	h.running.Wait()
	if h.external != nil {
		h.external.Close()
	}
	if h.embedded != nil {
		h.embedded.close()
	}
}

// replicas is the number of replicas of each stream and bucket.
func (h *Hub) replicas() int {
	if h.external == nil {
		return 1
	}
	return h.config.NATS.Replicas
}

// Timeouts and bounds of connections. The longest answer is that of a long poll.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = hubapi.MaxWait + 30*time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeader       = 16 << 10 // bytes
)

// Serve answers requests on ln until ctx ends, over mutual TLS 1.3, and closes ln. While
// kiosks may enrol with one-time codes it also accepts clients without a certificate, for
// two operations of EST only. At the end it still answers the requests under way; long polls return the
// events that they have. Serve may run for several listeners at the same time.
func (h *Hub) Serve(ctx context.Context, ln net.Listener) error {
	conns := newConnections(h.limiter, h.abuse, h.refusedClient, h.codes.waiting)
	defer h.identities.serve(conns)()
	config := h.tls()
	config.NextProtos = []string{"h2", "http/1.1"}
	outer := config.Clone()
	outer.GetConfigForClient = conns.forClient(func() *tls.Config { return h.own.use(config) })
	srv := &http.Server{
		ConnState: conns.note,
		Handler:   h.Handler(),
		TLSConfig: outer,
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		// A request's context does not end with ctx, so that the hub still answers
		// it. Long polls watch ctx themselves: see whileServing.
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), serving{}, ctx)
		},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          stdlog.New(errorLog{h.abuse}, "", 0),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		conns.closeSilent()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, srv.Close())
		}
		stopped <- err
	})
	err := srv.ServeTLS(handshakeListener{ln, conns.unwanted}, "", "")
	if stop() {
		return fmt.Errorf("cannot serve: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("cannot stop serving in time: %w", err)
	}
	return nil
}

func (h *Hub) tls() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{h.config.Certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    h.config.Clients,
	}
}

// serving is the key of a value in each request's context: the context that ends when the
// hub stops.
type serving struct{}

// whileServing derives a context from a request's context that also ends when the hub
// stops.
func whileServing(request context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(request)
	if serve, ok := request.Value(serving{}).(context.Context); ok {
		stop := context.AfterFunc(serve, cancel)
		return ctx, func() { stop(); cancel() }
	}
	return ctx, cancel
}
