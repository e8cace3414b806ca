package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A hub moves into a cluster while it serves. Its own JetStream becomes a leaf node of the
// cluster, with a JetStream domain of its own, and each of its streams gets a mirror in the
// cluster. A mirror has the same places and times, so cursors stay valid. When the mirrors
// have caught up the hub stops serving for some seconds; the mirrors get the last messages
// and become ordinary streams, and the hub goes on with them.
//
// The other way that suggests itself is to start a NATS server of the cluster in the folder
// of the hub's JetStream. It deletes the streams.

const (
	moveDomain = "moving" // the JetStream domain of the hub that moves
	movedFile  = "moved"  // in the JetStream folder after the move: the URL of the cluster
	movedDir   = "jetstream.moved"

	movePoll = 200 * time.Millisecond
	moveTry  = 10 * time.Second
	moveTime = 2 * time.Minute // for the steps without the copying
)

// Move is a hub that moves from the JetStream in its folder into a cluster.
type Move struct {
	dir     string
	url     string // of the cluster
	config  Config
	store   *embedded
	old     jetstream.JetStream
	conn    *nats.Conn
	cluster jetstream.JetStream
	names   []string
}

// BeginMove opens the JetStream of a hub that does not run, connects it to the cluster that
// ClusterInit has prepared, and begins to copy. The caller serves Config meanwhile.
func BeginMove(ctx context.Context, dir string, log *slog.Logger) (*Move, error) {
	m, err := beginMove(ctx, dir, log)
	if err != nil {
		return nil, fmt.Errorf("cannot move the hub into its cluster: %w", err)
	}
	return m, nil
}

func beginMove(ctx context.Context, dir string, log *slog.Logger) (m *Move, err error) {
	m = &Move{dir: dir}
	if m.config, err = Load(dir); err != nil {
		return nil, err
	}
	s := m.config.NATS
	switch {
	case s.URL != "":
		return nil, errors.New("it is in a cluster already (nats.url in hub.toml)")
	case s.MoveTo == "":
		return nil, errors.New("hub.toml has no nats.move_to: run kioskhub cluster init, and start the nodes")
	}
	m.url = s.MoveTo
	if m.store, err = m.openLeaf(log); err != nil {
		return nil, err
	}
	m.config.Conn = m.store.conn
	m.conn, err = natsSettings{URL: m.url}.connect(dir)
	if err == nil {
		m.cluster, err = openJetStream(m.conn, s.Replicas)
	}
	if err == nil {
		m.old, err = openJetStream(m.store.conn, 1)
	}
	if err == nil {
		err = soon(ctx, m.checkNew)
	}
	if err == nil {
		err = soon(ctx, m.mirror)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Config is the configuration with which the hub serves while it moves.
func (m *Move) Config() Config { return m.config }

// Close ends what is open. After Finish it does nothing.
func (m *Move) Close() {
	if m.store != nil {
		m.store.close()
		m.store = nil
	}
	if m.conn != nil {
		m.conn.Close()
	}
}

// checkNew returns an error unless the cluster has no streams of a hub, except mirrors that a
// move that was interrupted has made.
func (m *Move) checkNew(ctx context.Context) error {
	streams := m.cluster.ListStreams(ctx)
	for info := range streams.Info() {
		if isOurs(info.Config.Name) && info.Config.Mirror == nil {
			return notNew{info.Config.Name}
		}
	}
	return streams.Err()
}

// notNew is a stream that the cluster has already.
type notNew struct{ stream string }

func (e notNew) Error() string {
	return fmt.Sprintf("the cluster has the stream %s already. If it is of a move that was interrupted, stop the nodes, remove their folders data, and begin again: the hub's own JetStream still has everything", e.stream)
}

// soon calls f until it succeeds, because a cluster that chooses leaders does not answer.
func soon(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, moveTime)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, moveTry)
		err := f(try)
		end()
		if err == nil || ctx.Err() != nil || errors.As(err, new(notNew)) {
			return err
		}
		select {
		case <-time.After(movePoll):
		case <-ctx.Done():
			return err
		}
	}
}

func isOurs(stream string) bool {
	return strings.HasPrefix(strings.TrimPrefix(stream, "KV_"), "smartkiosk-")
}

// openLeaf opens the hub's JetStream as a leaf node of the cluster. Only the API of JetStream
// passes between the two: an event that a hub stores must not reach both.
func (m *Move) openLeaf(log *slog.Logger) (*embedded, error) {
	ca, _, err := readCertificate(filepath.Join(m.dir, natsCAFile))
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(m.dir, natsCertFile), filepath.Join(m.dir, natsKeyFile))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	own := []string{"smartkiosk.>", "$KV.>"}
	leaf := &server.RemoteLeafOpts{
		TLS: true, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}},
		DenyImports: own, DenyExports: own,
	}
	for _, text := range strings.Split(m.url, ",") {
		node, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		node.Host = net.JoinHostPort(node.Hostname(), natsLeafPort)
		leaf.URLs = append(leaf.URLs, node)
	}
	return startWith(m.config.JetStream, byHub, joining{leaf}, log)
}

// joining makes a server a leaf node of a cluster.
type joining struct{ leaf *server.RemoteLeafOpts }

func (j joining) configure(o *server.Options) error {
	o.DontListen = true
	o.JetStreamDomain = moveDomain
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{j.leaf}
	return nil
}

func (joining) use(*server.Server) {}

// mirror makes the mirrors that are missing.
func (m *Move) mirror(ctx context.Context) error {
	streams := m.old.ListStreams(ctx)
	m.names = nil
	for info := range streams.Info() {
		if !isOurs(info.Config.Name) {
			continue
		}
		c := m.target(info)
		c.Subjects, c.Duplicates = nil, 0
		c.Mirror = &jetstream.StreamSource{Name: c.Name, External: &jetstream.ExternalStream{APIPrefix: "$JS." + moveDomain + ".API"}}
		if _, err := m.cluster.CreateStream(ctx, c); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("cannot mirror the stream %s: %w", c.Name, err)
		}
		m.names = append(m.names, c.Name)
	}
	return streams.Err()
}

// target returns the configuration that a stream of the hub has in the cluster.
func (m *Move) target(info *jetstream.StreamInfo) jetstream.StreamConfig {
	c := info.Config
	c.Replicas, c.AllowDirect = m.config.NATS.Replicas, false
	c.Metadata = maps.Clone(c.Metadata)
	maps.DeleteFunc(c.Metadata, func(key, _ string) bool { return strings.HasPrefix(key, "_nats.") }) // the server's own
	if c.Name == eventsStream {
		if c.Metadata == nil {
			c.Metadata = map[string]string{}
		}
		c.Metadata[streamIDKey] = streamID(info) // the cursors of consumers name it
	}
	return c
}

// progress is how much of the messages the cluster has.
type progress struct{ have, want uint64 }

// compare returns how far the mirrors are.
func (m *Move) compare(ctx context.Context) (p progress, complete bool, err error) {
	complete = true
	for _, name := range m.names {
		from, err := m.old.Stream(ctx, name)
		if err != nil {
			return p, false, err
		}
		to, err := m.cluster.Stream(ctx, name)
		if err != nil {
			return p, false, err
		}
		old, now := from.CachedInfo().State, to.CachedInfo().State
		if old.Msgs == 0 {
			continue
		}
		// Only places are compared: messages that expire do so in both.
		p.want += old.LastSeq
		p.have += min(now.LastSeq, old.LastSeq)
		complete = complete && now.LastSeq == old.LastSeq
	}
	return p, complete, nil
}

// Follow waits until the cluster has what the hub has stored, except perhaps what it has
// stored in the last seconds. It reports how much of that (0 to 1) the cluster has.
func (m *Move) Follow(ctx context.Context, report func(part float64)) error {
	for {
		p, complete, err := m.compareSoon(ctx)
		if err != nil {
			return fmt.Errorf("cannot move the hub into its cluster: %w", err)
		}
		if p.want > 0 {
			report(float64(p.have) / float64(p.want))
		}
		// A hub that serves stores something again and again.
		if complete || p.want-p.have < 100 && p.have > 0 {
			return nil
		}
		select {
		case <-time.After(movePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compareSoon compares, and tries again while the cluster chooses leaders.
func (m *Move) compareSoon(ctx context.Context) (p progress, complete bool, err error) {
	err = soon(ctx, func(ctx context.Context) (err error) {
		p, complete, err = m.compare(ctx)
		return err
	})
	return p, complete, err
}

// Finish ends the move. No hub may serve from Config any more. If it returns an error, the
// hub's own JetStream still has everything.
func (m *Move) Finish(ctx context.Context) error {
	if err := m.finish(ctx); err != nil {
		return fmt.Errorf("cannot move the hub into its cluster: %w; the hub's own JetStream still has everything, so serve from it again", err)
	}
	return nil
}

func (m *Move) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*moveTime)
	defer cancel()
	m.store.socket.close()                      // commands must not change anything any more
	if err := soon(ctx, m.mirror); err != nil { // a bucket that was made meanwhile
		return err
	}
	for complete := false; !complete; {
		var err error
		if _, complete, err = m.compareSoon(ctx); err != nil {
			return err
		}
		if complete {
			break
		}
		select {
		case <-time.After(movePoll / 4):
		case <-ctx.Done():
			return fmt.Errorf("the cluster lacks the last messages: %w", ctx.Err())
		}
	}
	if err := m.promote(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(m.config.JetStream, movedFile), []byte(m.url+"\n"), 0o600); err != nil {
		return err
	}
	if err := moveSettings(m.dir, m.url); err != nil {
		return err
	}
	m.Close()
	return errors.Join(os.Rename(m.config.JetStream, filepath.Join(m.dir, movedDir)), syncFolder(m.dir))
}

// promote makes ordinary streams of the mirrors.
func (m *Move) promote(ctx context.Context) error {
	// The events come last: with them, hubs could begin.
	slices.SortStableFunc(m.names, func(a, b string) int {
		return map[bool]int{true: 1}[a == eventsStream] - map[bool]int{true: 1}[b == eventsStream]
	})
	for _, name := range m.names {
		from, err := m.old.Stream(ctx, name)
		if err != nil {
			return err
		}
		to, err := m.cluster.UpdateStream(ctx, m.target(from.CachedInfo()))
		if err != nil {
			return fmt.Errorf("cannot make a stream of the mirror %s: %w", name, err)
		}
		old, now := from.CachedInfo().State, to.CachedInfo().State
		if old.Msgs > 0 && now.LastSeq != old.LastSeq {
			return fmt.Errorf("the stream %s ends at %d, and in the cluster at %d", name, old.LastSeq, now.LastSeq)
		}
		if name == eventsStream {
			if err := m.moveConsumers(ctx, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveConsumers makes the durable consumers of consumers with a NATS client.
func (m *Move) moveConsumers(ctx context.Context, from, to jetstream.Stream) error {
	durables := from.ListConsumers(ctx)
	for info := range durables.Info() {
		name, ok := strings.CutPrefix(info.Name, nativePrefix)
		if !ok {
			continue
		}
		config, err := nativeConfigAfter(name, info.AckFloor.Stream)
		if err == nil {
			_, err = to.CreateConsumer(ctx, config)
		}
		if bundle := filepath.Join(m.dir, consumersDir, name); err == nil && isFolder(bundle) {
			err = copyNATSCA(m.dir, bundle)
		}
		if err != nil {
			return fmt.Errorf("cannot move consumer %s: %w", name, err)
		}
	}
	if err := durables.Err(); err != nil {
		return err
	}
	_, err := writeAccounts(ctx, m.dir, to)
	return err
}

var (
	moveToLine = regexp.MustCompile(`(?m)^move_to[ \t]*=.*$`)
	natsTable  = regexp.MustCompile(`(?ms)^\[nats\].*?(^\[|\z)`)
	listenLine = regexp.MustCompile(`(?m)^(listen[ \t]*=)`)
)

// moveSettings makes nats.url of nats.move_to in hub.toml. The servers listen for consumers
// now, and not the hub.
func moveSettings(dir, address string) error {
	path := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = natsTable.ReplaceAllFunc(text, func(table []byte) []byte {
		table = moveToLine.ReplaceAll(table, fmt.Appendf(nil, "url = %q", address))
		return listenLine.ReplaceAll(table, []byte("#$1"))
	})
	if got, err := parseSettings(text); err != nil || got.NATS.URL != address || got.NATS.MoveTo != "" {
		return errors.Join(fmt.Errorf("cannot change %s: make url of move_to in the table [nats]", path), err)
	}
	return replaceFile(path, text)
}

// checkMoved returns an error if a hub with a cluster still has events in its own JetStream,
// which would be missing in the feed.
func checkMoved(dir string) error {
	own := filepath.Join(dir, jetstreamDir)
	if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(own, movedFile)); err == nil {
		return nil
	}
	return fmt.Errorf("hub.toml names servers (nats.url), and the hub's events are in its own JetStream, %s: take nats.url out, run kioskhub cluster init for new nodes, and kioskhub migrate", own)
}

// checkNotMoved returns an error if a JetStream folder was moved into a cluster.
func checkNotMoved(own string) error {
	text, err := os.ReadFile(filepath.Join(own, movedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, fmt.Errorf("it was moved to %s: set nats.url in hub.toml", strings.TrimSpace(string(text))))
}
