package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/scproxy"
)

// The tests have a mount namespace of their own, in which they install Chromium's policy.
func TestMain(m *testing.M) { pcsctest.Main(m) }

// patience is how long a test waits for Chromium before it counts as hanging.
const patience = 2 * time.Minute

const (
	loginOrigin = "https://login.example"
	evilOrigin  = "https://evil.example"
	callbackURL = "https://hub.example/callback"
)

// bench is kioskd's side, some web servers, and a Chromium that Run controls.
type bench struct {
	t       *testing.T
	link    *Link
	kioskd  *httptest.Server
	web     *httptest.Server // every host
	profile string           // folder of profiles
	options Options
	service tls.Certificate // of the card service

	mu    sync.Mutex
	seen  []string // requests, as "host path"
	pages map[string]http.HandlerFunc
	panel chan struct{} // one for each load of the panel page
	ready chan bool
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, link: NewLink([]string{loginOrigin, "https://hub.example"}), profile: t.TempDir(), pages: map[string]http.HandlerFunc{},
		panel: make(chan struct{}, 100), ready: make(chan bool, 100)}
	b.link.Watch(func(ready bool) { b.ready <- ready })
	mux := http.NewServeMux()
	mux.Handle("/browser/", b.link.Handler())
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<title>panel</title>the panel")
		b.panel <- struct{}{}
	})
	b.kioskd = httptest.NewServer(mux)
	t.Cleanup(b.kioskd.Close)
	t.Cleanup(b.kioskd.CloseClientConnections)
	b.web = httptest.NewTLSServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.web.Close)
	var err error
	dir := t.TempDir()
	if b.service, err = scproxy.Certificate(dir); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "scproxy.crt"))
	if err != nil {
		t.Fatal(err)
	}
	installPolicy(t, b.kioskd.URL, b.link.origins, public)
	b.options = Options{Panel: b.kioskd.URL + "/", Command: b.chromium(), Profiles: b.profile, MaxMemory: 4 << 30,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return b
}

// installPolicy installs the policy for this test only.
func installPolicy(t *testing.T, panel string, origins []string, certificate []byte) {
	t.Helper()
	policy, err := Policy(panel, origins, certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/etc/chromium", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/etc/chromium", "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatalf("cannot cover /etc/chromium: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount("/etc/chromium", unix.MNT_DETACH) })
	if err := os.MkdirAll(filepath.Dir(PolicyFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(PolicyFile, policy, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckPolicy(policy); err != nil {
		t.Fatal(err)
	}
}

// chromium is a headless Chromium for which the test's servers are every host, at public
// addresses.
func (b *bench) chromium() []string {
	port := func(s *httptest.Server) string {
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		return port
	}
	sum := sha256.Sum256(b.web.Certificate().RawSubjectPublicKeyInfo)
	return []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--host-resolver-rules=MAP *.example " + b.web.Listener.Addr().String(),
		"--ip-address-space-overrides=127.0.0.1:" + port(b.web) + "=public,127.0.0.1:" + port(b.kioskd) + "=public",
		"--ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(sum[:]),
	}
}

// page serves HTML at a path of every host.
func (b *bench) page(path, html string) {
	b.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, html)
	})
}

func (b *bench) handle(path string, h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages[path] = h
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.seen = append(b.seen, r.Host+" "+r.URL.Path)
	h := b.pages[r.URL.Path]
	b.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

// requested reports whether a server got a request.
func (b *bench) requested(host, path string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.seen {
		if s == host+" "+path {
			return true
		}
	}
	return false
}

// run starts the browser and waits until it shows the panel and is connected.
func (b *bench) run() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, b.options) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
		if left, _ := os.ReadDir(b.profile); len(left) > 0 {
			b.t.Errorf("profiles are left: %v", left)
		}
	})
	b.showsPanel()
	for !await(b.t, b.ready) {
	}
}

func (b *bench) showsPanel() { b.t.Helper(); await(b.t, b.panel) }

// endsVisit waits for the panel after a login, and for the next Chromium.
func (b *bench) endsVisit() {
	b.t.Helper()
	b.showsPanel()
	b.link.SetBusy(false)
	b.showsPanel()
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("the browser does nothing")
		panic("unreachable")
	}
}

// open opens a login page in a visit, and returns the query of the callback, or the failure.
func (b *bench) open(path string, opened func()) (query string, failure Failure) {
	b.t.Helper()
	if opened == nil {
		opened = func() {}
	}
	b.link.SetBusy(true)
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	query, err := b.link.Open(ctx, loginOrigin+path, callbackURL, opened)
	if e, ok := err.(*Error); ok {
		return "", e.Failure
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return query, ""
}

// serveCards stands in for the card service.
func (b *bench) serveCards() {
	b.t.Helper()
	l, err := tls.Listen("tcp", scproxy.Address, &tls.Config{Certificates: []tls.Certificate{b.service}})
	if err != nil {
		b.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = io.WriteString(w, "card")
	}), ErrorLog: slog.NewLogLogger(b.options.Log.Handler(), slog.LevelInfo)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	b.t.Cleanup(func() { _ = server.Close(); <-served })
}
