package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// serveAt serves a hub at an address until stop, and closes it then.
func serveAt(t *testing.T, cfg Config, address string) (h *Hub, stop func()) {
	t.Helper()
	h, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); serving.Wait(); h.Close() })
	t.Cleanup(stop)
	return h, stop
}

func loaded(t *testing.T, dir string) Config {
	t.Helper()
	cfg, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// A hub with events moves into a cluster while kiosks go on. No event is lost, doubled or out
// of order, no challenge is accepted twice, and the places of consumers stay what they were.
func TestMove(t *testing.T) {
	const kiosks = 20
	dir, address := newFolder(t), freeAddress(t)
	settings := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, fmt.Appendf(text, "\n[nats]\nlisten = %q\n", freeAddress(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	h, stop := serveAt(t, loaded(t, dir), address)
	b := &clusterBed{bed: &bed{t: t, dir: dir, conn: h.conn, replicas: 1}, urls: []string{"https://" + address}}
	fleet := b.fleet(kiosks)
	office := b.consumer(b.urls[0], "office")

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var done, twice atomic.Int32
	var enough atomic.Bool
	var working sync.WaitGroup
	for _, k := range fleet {
		working.Go(func() {
			for !enough.Load() {
				accepted, err := k.visit(ctx, func(nonce string) []byte { return token(t, "valid", nonce) })
				if err != nil {
					t.Error(err)
					return
				}
				if accepted > 1 {
					twice.Add(1)
				}
				done.Add(1)
			}
		})
	}
	defer func() { enough.Store(true); working.Wait() }()
	reached := func(visits int32) {
		for done.Load() < visits && ctx.Err() == nil && !t.Failed() {
			pauseFor(ctx, 20*time.Millisecond)
		}
	}
	reached(kiosks)
	read, cursor := office.pull(10, 0)
	n := b.native(nativeTest, FeedStart)
	native := n.next(t, 10, true)
	n.conn.Close()

	cluster := newCluster(t, dir)
	if _, err := ClusterInit(dir, cluster.nodes); err == nil || !strings.Contains(err.Error(), "hub.toml names one already (nats.move_to)") {
		t.Errorf("prepared twice: %v", err)
	}
	if _, err := BeginMove(ctx, dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another hub uses the folder") {
		t.Errorf("the hub still serves: %v", err)
	}
	stop()
	m, err := BeginMove(ctx, dir, slog.New(slog.DiscardHandler))
	for err != nil && strings.Contains(err.Error(), "cannot connect") && ctx.Err() == nil { // the nodes start
		pauseFor(ctx, 100*time.Millisecond)
		m, err = BeginMove(ctx, dir, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	_, stop = serveAt(t, m.Config(), address)
	reached(done.Load() + kiosks)
	var last float64
	if err := m.Follow(ctx, func(part float64) { last = part }); err != nil || last == 0 {
		t.Fatal(last, err)
	}
	before := done.Load()
	began := time.Now()
	stop()
	if err := m.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	h, _ = serveAt(t, loaded(t, dir), address)
	t.Logf("after %d visits the hub was away for %v", before, time.Since(began).Round(time.Millisecond))
	if h.external == nil {
		t.Error("the hub does not use the cluster")
	}
	reached(done.Load() + kiosks)
	enough.Store(true)
	working.Wait()
	t.Logf("%d visits", done.Load())
	if twice.Load() > 0 {
		t.Errorf("%d challenges were accepted twice", twice.Load())
	}

	// The consumer acknowledges what it has read before, and goes on behind it.
	next := map[string]int{}
	count := func(places ...string) {
		t.Helper()
		for _, where := range places {
			name, _, _ := strings.Cut(where, "/")
			if next[name]++; where != fmt.Sprintf("%s/%d", name, next[name]) {
				t.Fatalf("the feed has %s, want %s/%d", where, name, next[name])
			}
		}
	}
	count(read...)
	for more := read; len(more) > 0; count(more...) {
		office.ack(cursor)
		more, cursor = office.pull(100, 0)
	}
	total := 0
	for _, k := range fleet {
		if next[k.id] != int(k.sequence) {
			t.Errorf("the feed has %d events of %s, want %d", next[k.id], k.id, k.sequence)
		}
		total += next[k.id]
	}
	if total != int(done.Load()) {
		t.Errorf("the feed has %d events, want %d", total, done.Load())
	}
	clear(next)
	count(native...)
	access := n.NativeAccess
	access.URL, access.CA = h.config.NATS.URL, natsCAFile
	n = b.connectNative(access)
	for more := native; len(more) > 0; count(more...) {
		more = n.next(t, 100, true)
	}
	for _, k := range fleet {
		if next[k.id] != int(k.sequence) {
			t.Errorf("the NATS client has %d events of %s, want %d", next[k.id], k.id, k.sequence)
		}
	}

	// The old folder stays as it was, and no hub works with it any more.
	moved := filepath.Join(dir, movedDir)
	if _, err := startEmbedded(moved, byHub, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "it was moved to tls://") {
		t.Errorf("the old JetStream opens: %v", err)
	}
	if err := os.Remove(filepath.Join(moved, movedFile)); err != nil {
		t.Fatal(err)
	}
	old, err := startEmbedded(moved, byHub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer old.close()
	js, err := openJetStream(old.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Stream(t.Context(), eventsStream); err != nil {
		t.Errorf("the old stream of events: %v", err)
	}
}

// A hub whose settings name a cluster, and whose events are in its own JetStream, does not
// begin without them.
func TestClusterWithoutMove(t *testing.T) {
	dir := newFolder(t)
	if _, err := AddConsumer(dir, "office"); err != nil {
		t.Fatal(err)
	}
	if _, err := BeginMove(t.Context(), dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "hub.toml has no nats.move_to") {
		t.Errorf("move without a cluster: %v", err)
	}
	if err := writeNATS(dir, "nats://127.0.0.1:1", false); err != nil {
		t.Fatal(err)
	}
	const want = "hub.toml names servers (nats.url), and the hub's events are in its own JetStream"
	if _, err := Open(t.Context(), loaded(t, dir), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("open: %v", err)
	}
	if _, err := Clients(dir, hubapi.RoleConsumer); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a command: %v", err)
	}
	if _, err := BeginMove(t.Context(), dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "it is in a cluster already") {
		t.Errorf("move again: %v", err)
	}
}

func TestMoveSettings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, settingsFile)
	for text, want := range map[string]string{
		"listen = \":1\"\nurl = \"https://h:1\"\n[nats]\nmove_to = \"tls://a:1\"\nlisten = \":2\"\n[crls]\nevery = \"1h\"\n": "listen = \":1\"\nurl = \"https://h:1\"\n[nats]\nurl = \"tls://a:1\"\n#listen = \":2\"\n[crls]\nevery = \"1h\"\n",
		"listen = \":1\"\nurl = \"https://h:1\"\nnats = { move_to = \"tls://a:1\" }\n":                                       "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := moveSettings(dir, "tls://a:1")
		got, readErr := os.ReadFile(path)
		if want == "" && (err == nil || string(got) != text) || want != "" && string(got) != want || readErr != nil {
			t.Errorf("%s became %s, %v", text, got, errors.Join(err, readErr))
		}
	}
}
