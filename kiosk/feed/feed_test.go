package feed_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

var _ feed.Outbox = (*store.Store)(nil)

// seal makes records that are JSON but not events, because a feed does not
// parse them.
func seal(seq uint64, _ []byte) (record, link []byte, err error) {
	return fmt.Appendf(nil, `{"n":%d}`, seq), make([]byte, store.LinkSize), nil
}

func newOutbox(t *testing.T, records int) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "outbox.db"), store.Options{Keep: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for range records {
		if _, err := s.Append(seal); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// site is a hub's folder with two kiosks and two consumers, and the feed of
// kiosk k1.
type site struct {
	dir, url string
}

func newSite(t *testing.T, o feed.Outbox) site {
	t.Helper()
	s := site{dir: filepath.Join(t.TempDir(), "hub")}
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(t.TempDir(), "pki")
	if err := errors.Join(pki.Write(trust), hub.Init(s.dir, hub.InitOptions{Listen: "127.0.0.1:1", URL: "https://127.0.0.1:1", Trust: trust})); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k1", "k2"} {
		if _, err := hub.AddKiosk(s.dir, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"backend", "other"} {
		if _, err := hub.AddConsumer(s.dir, name); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: feed.Consumers(o, slog.New(slog.DiscardHandler)), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	l = tls.NewListener(l, feed.ServerTLS(s.credentials(t, "kiosk", "k1")))
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	s.url = "https://" + l.Addr().String()
	return s
}

func (s site) credentials(t *testing.T, role, name string) *hubapi.Credentials {
	t.Helper()
	dir := filepath.Join(s.dir, role+"s", name)
	c, err := hubapi.LoadCredentials(filepath.Join(dir, "hub-ca.pem"), filepath.Join(dir, role+".pem"), filepath.Join(dir, role+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s site) client(t *testing.T, role, name, kioskID string) *hubapi.Client {
	return hubapi.NewClient(s.url, feed.ClientTLS(s.credentials(t, role, name), kioskID))
}

// One consumer's acknowledgements do not move the other's cursor. After a restart
// of the kiosk each consumer continues where it was.
func TestConsumersHaveCursorsOfTheirOwn(t *testing.T) {
	o := newOutbox(t, 5)
	s := newSite(t, o)
	backend, other := s.client(t, "consumer", "backend", "k1"), s.client(t, "consumer", "other", "k1")
	expect := func(c *hubapi.Client, name string, want, cursor string) {
		t.Helper()
		events, got, err := c.Feed(t.Context(), name, 2, 0)
		if err != nil || fmt.Sprintf("%s", events) != want || got != cursor {
			t.Errorf("%s gets %s, cursor %s, %v; want %s, %s", name, events, got, err, want, cursor)
		}
	}
	expect(backend, "backend", `[{"n":1} {"n":2}]`, "2")
	expect(backend, "backend", `[{"n":1} {"n":2}]`, "2") // not acknowledged
	for _, cursor := range []string{"4", "2"} {          // the second is older than the first
		if err := backend.AckFeed(t.Context(), "backend", cursor); err != nil {
			t.Fatal(err)
		}
	}
	expect(backend, "backend", `[{"n":5}]`, "5")
	expect(other, "other", `[{"n":1} {"n":2}]`, "2")
	if o.Position().Acked != 0 {
		t.Error("a consumer's acknowledgement is taken for the hub's")
	}
	for _, cursor := range []string{"6", "-1", "x", ""} {
		p, _ := errors.AsType[*hubapi.Problem](backend.AckFeed(t.Context(), "backend", cursor))
		if p == nil || p.Status != http.StatusBadRequest {
			t.Errorf("cursor %q: %v", cursor, p)
		}
	}
}

// A consumer may pull only its own feed, and only from the kiosk whose name it
// expects.
func TestWhoMayPull(t *testing.T) {
	s := newSite(t, newOutbox(t, 1))
	for name, tt := range map[string]struct {
		client *hubapi.Client
		feed   string
		want   string
	}{
		"a consumer":             {s.client(t, "consumer", "backend", "k1"), "backend", ""},
		"of another's feed":      {s.client(t, "consumer", "backend", "k1"), "other", "the feed of another consumer"},
		"a kiosk":                {s.client(t, "kiosk", "k2", "k1"), "k2", "not for a kiosk"},
		"one that means another": {s.client(t, "consumer", "backend", "k2"), "backend", "it is urn:smartkiosk:kiosk:k1, not urn:smartkiosk:kiosk:k2"},
	} {
		_, _, err := tt.client.Feed(t.Context(), tt.feed, 1, 0)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	stranger := newSite(t, newOutbox(t, 1))
	foreign := hubapi.NewClient(s.url, feed.ClientTLS(stranger.credentials(t, "consumer", "backend"), "k1"))
	if _, _, err := foreign.Feed(t.Context(), "backend", 1, 0); err == nil || !strings.Contains(err.Error(), "cannot trust the kiosk") {
		t.Errorf("a consumer of another hub: %v", err)
	}
	// A client without a certificate that accepts any server.
	open := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if r, err := open.Get(s.url + "/v1/feed/backend"); err == nil {
		body, _ := io.ReadAll(r.Body)
		t.Errorf("without a certificate: %s %s", r.Status, body)
	}
}

// memory is an outbox in memory. Inside a synctest bubble a test can wait for
// it, which is impossible with a file.
type memory struct {
	mu      sync.Mutex
	records []store.Record
	changed chan struct{}
}

func (m *memory) Records(after uint64, limit int) ([]store.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[min(int(after), len(m.records)):]
	return r[:min(limit, len(r))], nil
}
func (m *memory) DeadLetters() ([]store.Record, error) { return nil, errors.New("cannot read") }
func (m *memory) Position() store.Position {
	return store.Position{First: 1, Last: uint64(len(m.records))}
}
func (m *memory) Changed() <-chan struct{}     { return m.changed }
func (m *memory) Cursor(string) uint64         { return 0 }
func (m *memory) Advance(string, uint64) error { return nil }

// recorder is an http.ResponseWriter that keeps the response.
type recorder struct {
	header http.Header
	status int
	strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }

func get(ctx context.Context, h http.Handler, path string) *recorder {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		panic(err)
	}
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, r)
	return w
}

// Local answers a technician's requests and refuses bad ones.
func TestLocal(t *testing.T) {
	o := newOutbox(t, 5)
	if err := errors.Join(o.Ack(2), o.MoveToDeadLetters(4, func([]byte, store.Record) ([]byte, error) { return []byte(`{"standin":4}`), nil })); err != nil {
		t.Fatal(err)
	}
	h := feed.Local(o, slog.New(slog.DiscardHandler))
	for path, want := range map[string]string{
		"/v1/outbox":               `200 {"first":1,"acked":2,"last":5,"parked":[{"n":4}],"parked_count":1}`,
		"/v1/events?after=2&max=2": `200 [{"n":3},{"standin":4}]`,
		"/v1/events?after=9":       `200 []`,
		"/v1/events?max=0":         `400 {"type":"urn:smartkiosk:problem:malformed"`,
		"/v1/events?after=x":       `400 {"type":"urn:smartkiosk:problem:malformed"`,
	} {
		w := get(t.Context(), h, path)
		if got := fmt.Sprint(w.status, " ", w.String()); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if w := get(t.Context(), feed.Local(&memory{}, slog.New(slog.DiscardHandler)), "/v1/outbox"); w.status != http.StatusInternalServerError || strings.Contains(w.String(), "cannot read") {
		t.Errorf("an outbox that cannot be read: %d %s", w.status, w.String())
	}
}

// If the outbox is empty, pull waits for the first event, but no longer than
// the client requested.
func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{changed: make(chan struct{})}
		began := time.Now()
		poll := func() (string, time.Duration) {
			w := &recorder{header: http.Header{}}
			if err := feed.Pull(t.Context(), w, m, 0, hubapi.Pull{Max: 10, Wait: 30 * time.Second}); err != nil {
				t.Fatal(err)
			}
			return w.String(), time.Since(began)
		}
		if body, took := poll(); body != "[]" || took != 30*time.Second {
			t.Errorf("%s after %v", body, took)
		}
		go func() {
			<-time.After(7 * time.Second)
			m.mu.Lock()
			m.records = append(m.records, store.Record{Sequence: 1, Data: []byte("{}")})
			m.mu.Unlock()
			close(m.changed)
		}()
		if body, took := poll(); body != "[{}]" || took != 37*time.Second {
			t.Errorf("%s after %v", body, took)
		}
	})
}
