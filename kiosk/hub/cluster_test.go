package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// relay forwards TCP connections until it is cut. It stands in for the network between two
// machines.
type relay struct {
	listener net.Listener
	target   string

	mu   sync.Mutex
	cut  bool
	open map[net.Conn]struct{}
}

func newRelay(t *testing.T, listen, target string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: ln, target: target, open: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.forward(from) })
		}
	})
	t.Cleanup(func() { ln.Close(); r.setCut(true); running.Wait() })
	return r
}

func (r *relay) forward(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer to.Close()
	if !r.begin(from, to) {
		return
	}
	defer r.end(from, to)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(to, from); to.Close(); from.Close() })
	_, _ = io.Copy(from, to)
	to.Close()
	from.Close()
	both.Wait()
}

func (r *relay) begin(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.open[c] = struct{}{}
	}
	return !r.cut
}

func (r *relay) end(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.open, c)
	}
}

func (r *relay) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	for c := range r.open {
		if cut {
			c.Close()
		}
	}
}

// cluster is three nats-servers, each a process, with relays between them and before them.
type cluster struct {
	t        *testing.T
	program  string
	nodes    []Node
	folders  []string
	process  []*exec.Cmd
	accounts []byte     // that the nodes have read
	relays   [][]*relay // to each node, from each node and (the last one) from the hubs
}

// Ports of a node in the tests. The hubs and the other nodes call those of its relays.
const (
	testClientPort = 14222
	testRelayPort  = 16222 // + the number of the calling node
)

// nativeTest is the consumer with a NATS client.
const nativeTest = "native"

// newCluster prepares the hub in a folder for a cluster, with the files that an operator
// gets, and starts the cluster. Only the addresses are changed.
func newCluster(t *testing.T, dir string) *cluster {
	t.Helper()
	out, err := exec.Command("go", "tool", "-n", "nats-server").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, program: strings.TrimSpace(string(out)), process: make([]*exec.Cmd, 3)}
	network := fmt.Sprintf("127.%d.%d.", 2+rand.IntN(250), rand.IntN(256)) // free ports in all tests
	for i := range 3 {
		c.nodes = append(c.nodes, Node{fmt.Sprintf("n%d", i+1), fmt.Sprintf("%s%d", network, i+1)})
	}
	made, err := ClusterInit(dir, c.nodes)
	if err != nil {
		t.Fatal(err)
	}
	c.folders = made.Folders
	for i, n := range c.nodes {
		relays := make([]*relay, 4)
		for j := range c.nodes {
			if j != i {
				relays[j] = newRelay(t, fmt.Sprintf("%s:%d", n.Host, testRelayPort+j), n.Host+":"+natsRoutePort)
			}
		}
		relays[3] = newRelay(t, n.Host+":"+natsClientPort, fmt.Sprintf("%s:%d", n.Host, testClientPort))
		c.relays = append(c.relays, relays)

		path := filepath.Join(c.folders[i], nodeConf)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		conf := strings.NewReplacer(
			"0.0.0.0:"+natsClientPort, fmt.Sprintf("%s:%d", n.Host, testClientPort),
			"0.0.0.0:"+natsLeafPort, n.Host+":"+natsLeafPort,
			// The other nodes must not learn an address that is not a relay's.
			`"0.0.0.0:`+natsRoutePort+`"`, `"`+n.Host+":"+natsRoutePort+"\"\n  advertise: \""+n.Host+`:9"`,
			":"+natsRoutePort+`"`, fmt.Sprintf(":%d\"", testRelayPort+i),
		).Replace(string(text))
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A node reads new accounts only when it starts, so those of a consumer are there already.
	c.accounts, err = accountsConf([]string{nativeTest})
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.nodes {
		if err := os.WriteFile(filepath.Join(c.folders[i], accountsFile), c.accounts, 0o600); err != nil {
			t.Fatal(err)
		}
		c.start(i)
	}
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	cmd := exec.Command(c.program, "-c", nodeConf)
	cmd.Dir = c.folders[i]
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.process[i] = cmd
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if c.t.Failed() {
			c.t.Logf("%s: %s", c.nodes[i].Name, said.Bytes())
		}
	})
}

// kill ends a node as the loss of its power would.
func (c *cluster) kill(i int) {
	_ = c.process[i].Process.Kill()
	_ = c.process[i].Wait()
}

// cutOff takes a node off the network, or back.
func (c *cluster) cutOff(i int, cut bool) {
	for to, relays := range c.relays {
		for from, r := range relays {
			if r != nil && (to == i || from == i) {
				r.setCut(cut)
			}
		}
	}
}

// leader returns the node that leads the stream of events.
func (c *cluster) leader(ctx context.Context, js jetstream.JetStream) int {
	for ctx.Err() == nil {
		try, end := context.WithTimeout(ctx, time.Second)
		stream, err := js.Stream(try, eventsStream)
		end()
		if err == nil && stream.CachedInfo().Cluster != nil {
			for i, n := range c.nodes {
				if n.Name == stream.CachedInfo().Cluster.Leader {
					return i
				}
			}
		}
		pauseFor(ctx, 100*time.Millisecond)
	}
	return 0
}

// pauseFor is the pause between two tries.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// clusterBed is a bed with hubs on a cluster.
type clusterBed struct {
	*bed
	*cluster
	urls []string
}

func newClusterBed(t *testing.T) *clusterBed {
	t.Helper()
	return newClusterBedFor(t, newFolder(t))
}

// newClusterBedFor starts a cluster for the hub of a folder.
func newClusterBedFor(t *testing.T, dir string) *clusterBed {
	t.Helper()
	b := &clusterBed{bed: &bed{t: t, dir: dir, replicas: 3}, cluster: newCluster(t, dir)}
	cfg, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for b.conn == nil {
		if b.conn, err = cfg.NATS.connect(dir); err != nil {
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			pauseFor(ctx, 100*time.Millisecond)
		}
	}
	t.Cleanup(b.conn.Close)
	for js := b.jetStream(); ; pauseFor(ctx, 100*time.Millisecond) { // until the cluster has a leader
		try, end := context.WithTimeout(ctx, time.Second) // without a leader there is no answer
		_, err := js.AccountInfo(try)
		end()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	return b
}

// hub starts a hub.
func (b *clusterBed) hub() (stop func()) {
	b.bed.t.Helper()
	cfg, err := Load(b.dir)
	if err != nil {
		b.bed.t.Fatal(err)
	}
	cfg.Now = b.now
	h, err := Open(b.bed.t.Context(), cfg, slog.New(slog.DiscardHandler))
	for deadline := time.Now().Add(2 * time.Minute); err != nil; h, err = Open(b.bed.t.Context(), cfg, slog.New(slog.DiscardHandler)) {
		if time.Now().After(deadline) {
			b.bed.t.Fatal(err)
		}
		pauseFor(b.bed.t.Context(), time.Second) // nodes that are not there yet; systemd starts the hub again
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.bed.t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.Serve(ctx, ln); err != nil {
			b.bed.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { end(); serving.Wait(); h.Close() })
	b.bed.t.Cleanup(stop)
	b.urls = append(b.urls, "https://"+ln.Addr().String())
	return stop
}

// fleetKiosk is a kiosk that uses any of the hubs.
type fleetKiosk struct {
	*party
	hubs []*hubapi.Client
}

func (b *clusterBed) fleet(n int) []*fleetKiosk {
	b.bed.t.Helper()
	seal := b.publicSeal()
	kiosks := make([]*fleetKiosk, n)
	for i := range kiosks {
		p := b.holder(b.urls[0], hubapi.Identity{Role: hubapi.RoleKiosk, Name: fmt.Sprintf("k%03d", i)}, true)
		var err error
		if p.seal, err = event.NewSealer(p.id, p.key, seal); err != nil {
			b.bed.t.Fatal(err)
		}
		k := &fleetKiosk{party: p}
		for _, url := range b.urls {
			k.hubs = append(k.hubs, hubapi.NewClient(url, p.tls))
		}
		kiosks[i] = k
	}
	return kiosks
}

func (k *fleetKiosk) anyHub() *hubapi.Client { return k.hubs[rand.IntN(len(k.hubs))] }

// visit goes on until a hub has decided and the event is stored. It presents the nonce at
// two hubs at the same time and returns how many of them accepted it.
func (k *fleetKiosk) visit(ctx context.Context, sign func(nonce string) []byte) (accepted int, err error) {
	var nonce string
	for nonce == "" {
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%s: no challenge: %w", k.id, err)
		}
		var c hubapi.Challenge
		if c, err = k.anyHub().Challenge(ctx); err != nil {
			pauseFor(ctx, 100*time.Millisecond)
			continue
		}
		nonce = c.Nonce
	}
	token := sign(nonce)
	var both sync.WaitGroup
	var count atomic.Int32
	for range 2 {
		hub := k.anyHub()
		both.Go(func() {
			v, err := hub.Authenticate(ctx, "visit-"+nonce[:8], nonce, token)
			if err == nil && (v.Granted || v.Reason != kiosk.NonceUsed) {
				count.Add(1)
			}
		})
	}
	both.Wait()
	for batch := k.events(1); ; pauseFor(ctx, 100*time.Millisecond) {
		got, err := k.anyHub().SendEvents(ctx, batch)
		if err == nil && got.Acknowledged == k.sequence {
			return int(count.Load()), nil
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%s: event %d is not stored: %w", k.id, k.sequence, err)
		}
	}
}

// Three hubs work on a cluster of three while one node loses its power and another one the
// network. No event is lost, doubled or out of order, and no challenge is accepted twice.
func TestCluster(t *testing.T) {
	const kiosks, visits = 200, 2
	b := newClusterBed(t)
	for range 3 {
		b.hub()
	}
	fleet := b.fleet(kiosks)
	office := b.holder(b.urls[0], hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}, true)
	access, err := AddNativeConsumer(b.dir, nativeTest, FeedStart)
	if err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(filepath.Join(b.folders[1], accountsFile)); err != nil || !bytes.Equal(written, b.accounts) {
		t.Errorf("the accounts of a node are %s, %v", written, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var done, twice, decided atomic.Int32
	var working sync.WaitGroup
	for _, k := range fleet {
		working.Go(func() {
			for range visits {
				accepted, err := k.visit(ctx, func(nonce string) []byte { return token(t, "valid", nonce) })
				if err != nil {
					t.Error(err)
					return
				}
				if accepted > 1 {
					twice.Add(1)
				}
				decided.Add(int32(accepted))
				done.Add(1)
			}
		})
	}
	reached := func(visits int32) {
		for done.Load() < visits && ctx.Err() == nil && !t.Failed() {
			pauseFor(ctx, 50*time.Millisecond)
		}
	}
	total := int32(kiosks * visits)
	reached(total / 8)
	killed := b.leader(ctx, b.jetStream())
	b.kill(killed)
	t.Logf("after %d visits: %s, the leader, is killed", done.Load(), b.nodes[killed].Name)
	reached(total / 2)
	b.start(killed)
	lost := b.leader(ctx, b.jetStream())
	if lost == killed {
		lost = (killed + 1) % 3
	}
	b.cutOff(lost, true)
	t.Logf("after %d visits: %s is back, %s is cut off", done.Load(), b.nodes[killed].Name, b.nodes[lost].Name)
	reached(total * 5 / 6)
	b.cutOff(lost, false)
	t.Logf("after %d visits: %s is back", done.Load(), b.nodes[lost].Name)
	working.Wait()
	t.Logf("%d visits, %d of them decided by a hub", done.Load(), decided.Load())
	if twice.Load() > 0 {
		t.Errorf("%d challenges were accepted twice", twice.Load())
	}
	if decided.Load() == 0 {
		t.Error("no hub decided a visit")
	}

	next := map[string]int{}
	count := func(where string) {
		t.Helper()
		name, _, _ := strings.Cut(where, "/")
		if next[name]++; where != fmt.Sprintf("%s/%d", name, next[name]) {
			t.Fatalf("the feed has %s, want %s/%d", where, name, next[name])
		}
	}
	for read := 0; read < kiosks*visits; {
		client := hubapi.NewClient(b.urls[rand.IntN(len(b.urls))], office.tls)
		events, cursor, err := client.Feed(ctx, "office", 100, time.Second)
		if err == nil && len(events) == 0 && ctx.Err() != nil {
			err = errors.New("events are missing")
		}
		if ctx.Err() != nil {
			t.Fatalf("read %d events: %v", read, err)
		}
		if err != nil {
			pauseFor(ctx, 100*time.Millisecond)
			continue
		}
		for _, where := range office.places(events) {
			count(where)
			read++
		}
		for err := errors.New("not yet"); err != nil && ctx.Err() == nil; {
			if err = client.AckFeed(ctx, "office", cursor); err != nil {
				pauseFor(ctx, 100*time.Millisecond)
				client = hubapi.NewClient(b.urls[rand.IntN(len(b.urls))], office.tls)
			}
		}
	}
	if events, _, err := hubapi.NewClient(b.urls[0], office.tls).Feed(ctx, "office", 100, 0); err != nil || len(events) > 0 {
		t.Errorf("after the last event the feed has %v, %v", office.places(events), err)
	}

	// A consumer with a NATS client gets the same from the servers, and has no other rights.
	clear(next)
	n := b.connectNative(access)
	for read := 0; read < kiosks*visits; {
		places := n.next(t, 100, true)
		for _, where := range places {
			count(where)
			read++
		}
		if len(places) == 0 && ctx.Err() != nil {
			t.Fatalf("read %d events with a NATS client", read)
		}
	}
	if err := errors.Join(n.conn.Publish(mainSubject("k001", ""), nil), n.conn.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := <-n.refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("a consumer publishes an event: %v", err)
	}
	if _, err := nats.Connect(access.URL, nats.RootCAs(filepath.Join(access.Bundle, access.CA)), nats.ClientCert(filepath.Join(b.folders[0], nodeFile), filepath.Join(b.folders[0], nodeKey))); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a node's certificate connects as a client: %v", err)
	}
}
