package hub

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// serving runs a hub's own Serve until stop is called. stop returns Serve's error.
func (b *bed) serving() (url string, stop func() error) {
	b.t.Helper()
	h := b.open()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, ln) }()
	b.t.Cleanup(cancel)
	return "https://" + ln.Addr().String(), func() error {
		cancel()
		return <-ended
	}
}

func TestServeOnlyByMutualTLS(t *testing.T) {
	b := newBed(t)
	url, stop := b.serving()
	k1 := b.kiosk(url, "k1")
	hub, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	other := newBed(t).kiosk(url, "k1") // of another hub's CA

	for _, tt := range []struct {
		who    string
		change func(*tls.Config)
		want   string // in the error; "" for none
	}{
		{"the kiosk", func(*tls.Config) {}, ""},
		{"a client without a certificate", func(c *tls.Config) { c.Certificates, c.GetClientCertificate = nil, nil }, "bad certificate"},
		{"another hub's kiosk", func(c *tls.Config) {
			// Sends the certificate although the hub asks for another CA.
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &other.tls.Certificates[0], nil
			}
		}, "unknown certificate authority"},
		{"the hub's own certificate", func(c *tls.Config) {
			c.Certificates, c.GetClientCertificate = []tls.Certificate{hub.Certificate}, nil
		}, "bad certificate"},
		{"a self-made certificate", func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return selfMade(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}), nil
			}
		}, "unknown certificate authority"},
		{"a kiosk with TLS 1.2", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, "protocol version"},
	} {
		config := k1.tls.Clone()
		config.GetClientCertificate = nil
		tt.change(config)
		_, err := hubapi.NewClient(url, config).Challenge(t.Context())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.who, err, tt.want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// selfMade returns a certificate with a valid identity from a CA that the hub does not
// trust.
func selfMade(t *testing.T, id hubapi.Identity) *tls.Certificate {
	t.Helper()
	ca, err := newAuthority("Smartkiosk hub CA", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.client(key.Public(), time.Now(), defaultLifetime, id)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw, ca.cert.Raw}, PrivateKey: key}
}

// An operator can call /healthz only.
func TestRoles(t *testing.T) {
	b := newBed(t)
	url, stop := b.serving()
	k1, office, operator := b.kiosk(url, "k1"), b.consumer(url, "office"), b.operator(url, "watch")
	all := []string{
		"POST /v1/challenges", "POST /v1/authentications", "POST /v1/events",
		"GET /v1/kiosk", "GET /v1/known", "GET /v1/crls/0", "GET /v1/feed/office", "POST /v1/feed/office/ack", "GET /v1/openapi.yaml", "GET /healthz",
	}
	for _, tt := range []struct {
		who *party
		may []string
	}{
		{k1, []string{"POST /v1/challenges", "POST /v1/authentications", "POST /v1/events", "GET /v1/kiosk", "GET /v1/known", "GET /v1/crls/0", "GET /v1/openapi.yaml", "GET /healthz"}},
		{office, []string{"GET /v1/feed/office", "POST /v1/feed/office/ack", "GET /v1/openapi.yaml", "GET /healthz"}},
		{operator, []string{"GET /healthz"}},
	} {
		for _, call := range all {
			method, path, _ := strings.Cut(call, " ")
			status := tt.who.raw(method, path, "", "").StatusCode
			if may := status != http.StatusForbidden; may != slices.Contains(tt.may, call) {
				t.Errorf("%s: %s is answered with %d", tt.who.tls.Certificates[0].Leaf.Subject, call, status)
			}
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// When Serve ends, long polls end early and still get their answer.
func TestServeEndsLongPolls(t *testing.T) {
	b := newBed(t)
	url, stop := b.serving()
	office := b.consumer(url, "office")
	answered := make(chan error)
	go func() {
		events, cursor, err := office.Feed(t.Context(), "office", 1, time.Minute)
		if len(events) != 0 || cursor != "0" {
			t.Errorf("got %d events and the cursor %q", len(events), cursor)
		}
		answered <- err
	}()
	b.waitForReader()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A client that connects and sends no request does not delay the end of Serve.
func TestServeEndsWithSilentClients(t *testing.T) {
	b := newBed(t)
	url, stop := b.serving()
	silent, err := net.Dial("tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// The hub accepts connections in order: once this request is answered, the hub has
	// accepted the silent connection too.
	if _, _, err := b.consumer(url, "office").Feed(t.Context(), "office", 1, 0); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The handler itself refuses requests without a client certificate.
func TestHandlerWithoutTLS(t *testing.T) {
	h := newBed(t).open()
	for _, path := range []string{"/healthz", "/v1/openapi.yaml", "/"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

// The embedded JetStream keeps what it acknowledged, locks its folder, and reports a
// folder that it cannot use.
func TestEmbedded(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	cfg, err := Load(newFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.JetStream = dir
	first, err := Open(t.Context(), cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	nonce := newNonce(t, first, "k1")
	if _, err := Open(t.Context(), cfg, quiet); err == nil || !strings.Contains(err.Error(), "another hub uses the folder") {
		t.Errorf("a second hub: got %v", err)
	}
	first.Close()
	again, err := Open(t.Context(), cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := spent(t, again, nonce, "k1"); got != "" {
		t.Errorf("the challenge from before is %q", got)
	}

	cfg.JetStream = "/dev/null/jetstream"
	if _, err := Open(t.Context(), cfg, quiet); err == nil || !strings.HasPrefix(err.Error(), "cannot open JetStream in /dev/null/jetstream: ") {
		t.Errorf("a folder that cannot exist: got %v", err)
	}
}

// The embedded JetStream syncs every message, which is not the default of NATS.
func TestEmbeddedSyncsAlways(t *testing.T) {
	e, err := startEmbedded(t.TempDir(), byHub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	disk, err := measure(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	if c := e.server.JetStreamConfig(); c == nil || !c.SyncAlways || uint64(c.MaxStore) != disk.size-disk.reserve() {
		t.Errorf("got %+v", c)
	}
	if addr := e.server.Addr(); addr != nil {
		t.Errorf("it listens on %v", addr)
	}
}
