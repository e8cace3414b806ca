package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsSettings name an external JetStream, which several hubs share. Without a URL the hub
// runs its own JetStream in its folder.
type natsSettings struct {
	URL      string `toml:"url"`      // of the servers, separated by commas
	Replicas int    `toml:"replicas"` // of each stream and bucket

	// MoveTo are the servers of a cluster into which kioskhub migrate moves the hub.
	MoveTo string `toml:"move_to"`

	// Listen is the host:port on which the hub's own JetStream accepts consumers; "" for none.
	Listen string `toml:"listen"`
}

// The files with which a hub proves itself to the servers, and they to it. They are in the
// hub's folder. ClusterInit makes them.
const (
	natsCAFile    = "nats-ca.pem"
	natsCAKeyFile = "nats-ca.key"
	natsCertFile  = "nats.pem"
	natsKeyFile   = "nats.key"
)

const (
	defaultReplicas = 3
	maxReplicas     = 5 // JetStream's bound

	// natsPing is how often the hub asks a server whether it is still there. After two
	// questions without an answer it goes to the next server.
	natsPing = 2 * time.Second

	natsRetry = 500 * time.Millisecond // the pause before a hub goes to the next server
)

// check checks the settings of a hub.toml.
func (s natsSettings) check() error {
	if s.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil {
			return fmt.Errorf("nats.listen = %q is not of the form host:port", s.Listen)
		}
		if s.URL != "" {
			return errors.New("nats.listen and nats.url exclude each other: consumers connect to the servers of nats.url")
		}
	}
	if s.URL != "" && s.MoveTo != "" {
		return errors.New("nats.url and nats.move_to exclude each other")
	}
	if s.URL == "" && s.MoveTo == "" {
		return nil
	}
	if s.Replicas < 1 || s.Replicas > maxReplicas {
		return fmt.Errorf("nats.replicas must be from 1 to %d", maxReplicas)
	}
	name, servers := "nats.url", s.URL
	if s.MoveTo != "" {
		name, servers = "nats.move_to", s.MoveTo
	}
	for _, server := range strings.Split(servers, ",") {
		u, err := url.Parse(server)
		if err != nil || u.Port() == "" || u.Hostname() == "" || u.User != nil || u.Path != "" {
			return fmt.Errorf("%s: %q is not of the form tls://host:port", name, server)
		}
		ip := net.ParseIP(u.Hostname())
		loopback := ip != nil && ip.IsLoopback()
		if u.Scheme != "tls" && !(u.Scheme == "nats" && loopback) {
			return fmt.Errorf("%s: %q must begin with tls://, because it is not a loopback address", name, server)
		}
	}
	return nil
}

// connect connects to a server. The hub is connected again to any of the servers when it
// loses one. Meanwhile its calls fail at once: a message that waited for a connection could
// be stored after its sender had given up.
func (s natsSettings) connect(dir string) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("smartkiosk hub"), nats.MaxReconnects(-1), nats.ReconnectWait(natsRetry), nats.ReconnectBufSize(-1),
		nats.PingInterval(natsPing), nats.MaxPingsOutstanding(2),
	}
	if strings.Contains(s.URL, "tls://") {
		options = append(options,
			nats.RootCAs(filepath.Join(dir, natsCAFile)),
			nats.ClientCert(filepath.Join(dir, natsCertFile), filepath.Join(dir, natsKeyFile)))
	}
	conn, err := nats.Connect(s.URL, options...)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot connect to JetStream: %w: run kioskhub cluster init, or put the file there", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to JetStream at %s: %w", s.URL, err)
	}
	return conn, nil
}

// replicated creates streams and buckets with a number of replicas.
type replicated struct {
	jetstream.JetStream
	replicas int
}

// openJetStream returns the JetStream behind a connection. replicas 0 means 1.
func openJetStream(conn *nats.Conn, replicas int) (jetstream.JetStream, error) {
	js, err := jetstream.New(conn)
	return replicated{js, max(1, replicas)}, err
}

// replicasOf returns how many replicas the streams of a JetStream have.
func replicasOf(js jetstream.JetStream) int {
	if r, ok := js.(replicated); ok {
		return r.replicas
	}
	return 1
}

// CreateStream implements jetstream.JetStream.
func (r replicated) CreateStream(ctx context.Context, config jetstream.StreamConfig) (jetstream.Stream, error) {
	config.Replicas = r.replicas
	return r.JetStream.CreateStream(ctx, config)
}

// CreateOrUpdateStream implements jetstream.JetStream.
func (r replicated) CreateOrUpdateStream(ctx context.Context, config jetstream.StreamConfig) (jetstream.Stream, error) {
	config.Replicas = r.replicas
	return r.JetStream.CreateOrUpdateStream(ctx, config)
}

// CreateOrUpdateObjectStore implements jetstream.JetStream.
func (r replicated) CreateOrUpdateObjectStore(ctx context.Context, config jetstream.ObjectStoreConfig) (jetstream.ObjectStore, error) {
	config.Replicas = r.replicas
	return r.JetStream.CreateOrUpdateObjectStore(ctx, config)
}

// CreateOrUpdateKeyValue implements jetstream.JetStream. A bucket with replicas answers
// from its leader only: a follower may not know yet that another hub has stored a challenge
// or removed an identity.
func (r replicated) CreateOrUpdateKeyValue(ctx context.Context, config jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	config.Replicas = r.replicas
	if r.replicas == 1 {
		return r.JetStream.CreateOrUpdateKeyValue(ctx, config)
	}
	kv, err := r.JetStream.KeyValue(ctx, config.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		// One that another hub has made meanwhile is the same.
		_, err = r.JetStream.CreateKeyValue(ctx, config)
		if errors.Is(err, jetstream.ErrBucketExists) {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	stream, err := r.JetStream.Stream(ctx, "KV_"+config.Bucket)
	if err != nil {
		return nil, err
	}
	stored := stream.CachedInfo().Config
	if !stored.AllowDirect && stored.Replicas == r.replicas && stored.MaxAge == config.TTL && kv != nil {
		return kv, nil
	}
	stored.AllowDirect, stored.Replicas, stored.MaxAge = false, r.replicas, config.TTL
	if _, err := r.JetStream.UpdateStream(ctx, stored); err != nil {
		return nil, err
	}
	return r.JetStream.KeyValue(ctx, config.Bucket) // which reads AllowDirect
}
