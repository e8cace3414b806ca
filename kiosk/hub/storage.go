package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The commands that manage identities and codes work in a hub's folder, also while the
// hub runs. Only one process can have the embedded JetStream open. So the process that has
// it open accepts NATS connections on a socket in the JetStream folder. Only the owner of
// the folder can connect to it.

// openStore opens what the hub in a folder keeps: in its own JetStream, or in the external
// one that it shares. The caller calls end.
func openStore(ctx context.Context, dir string) (js jetstream.JetStream, end func(), err error) {
	s, err := readSettings(dir)
	if err != nil {
		return nil, nil, err
	}
	var conn *nats.Conn
	replicas := 1
	if s.NATS.URL != "" {
		replicas = s.NATS.Replicas
		if err = checkMoved(dir); err == nil {
			conn, err = s.NATS.connect(dir)
		}
		if err == nil {
			end = conn.Close
		}
	} else {
		conn, end, err = openStorage(ctx, filepath.Join(dir, jetstreamDir))
	}
	if err != nil {
		return nil, nil, err
	}
	js, err = openJetStream(conn, replicas)
	return js, end, err
}

// useStore calls f with what the hub in a folder keeps, for at most startTime.
func useStore(dir string, f func(ctx context.Context, js jetstream.JetStream) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	js, end, err := openStore(ctx, dir)
	if err != nil {
		return err
	}
	defer end()
	return f(ctx, js)
}

// storageSocket is the name of the socket in the JetStream folder.
const storageSocket = "nats.sock"

// storageWait bounds how long a command waits for a process that starts or ends.
const storageWait = 10 * time.Second

// openStorage connects to the JetStream in a folder: it opens the folder, or connects to
// the process that has it open. The caller calls end.
func openStorage(ctx context.Context, dir string) (conn *nats.Conn, end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, storageWait)
	defer cancel()
	for {
		e, err := startEmbedded(dir, byCommand, slog.New(slog.DiscardHandler))
		if err == nil {
			return e.conn, e.close, nil
		}
		if !errors.Is(err, errFolderInUse) {
			return nil, nil, err
		}
		conn, dialled := nats.Connect("nats://127.0.0.1", nats.SetCustomDialer(storageDialer(dir)), nats.NoReconnect())
		if dialled == nil {
			return conn, conn.Close, nil
		}
		select { // the other process is starting or ending
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %w", err, dialled)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// storageDialer is the JetStream folder whose socket a NATS client connects to.
type storageDialer string

// Dial implements nats.CustomDialer.
func (d storageDialer) Dial(string, string) (conn net.Conn, err error) {
	err = inFolder(string(d), func(folder string) error {
		conn, err = net.Dial("unix", filepath.Join(folder, storageSocket))
		return err
	})
	return conn, err
}

// storageServer accepts NATS connections on the socket of a JetStream folder.
type storageServer struct {
	path     string
	listener net.Listener
	server   nats.InProcessConnProvider
	log      *slog.Logger
	running  sync.WaitGroup
}

// listenStorage accepts connections to srv until close. The caller holds the folder's
// lock.
func listenStorage(dir string, srv nats.InProcessConnProvider, log *slog.Logger) (*storageServer, error) {
	s := &storageServer{path: filepath.Join(dir, storageSocket), server: srv, log: log}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err := inFolder(dir, func(folder string) (err error) {
		path := filepath.Join(folder, storageSocket)
		if s.listener, err = net.Listen("unix", path); err != nil {
			return err
		}
		s.listener.(*net.UnixListener).SetUnlinkOnClose(false) // by then this path does not exist
		return os.Chmod(path, 0o600)                           // the folder has the same protection
	})
	if err != nil {
		return nil, err
	}
	s.running.Go(s.accept)
	return s, nil
}

func (s *storageServer) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		inside, err := s.server.InProcessConn()
		if err != nil {
			s.log.Warn("cannot serve the socket of the store", "err", err)
			_ = client.Close()
			continue
		}
		stop := func() { _, _ = client.Close(), inside.Close() }
		s.running.Go(func() { defer stop(); _, _ = io.Copy(client, inside) })
		s.running.Go(func() { defer stop(); _, _ = io.Copy(inside, client) })
	}
}

// close stops to accept connections. Those that are open end with the NATS server.
func (s *storageServer) close() {
	_ = s.listener.Close()
	_ = os.Remove(s.path) // the next process removes it too
}

// wait waits for the connections to end.
func (s *storageServer) wait() { s.running.Wait() }

// inFolder calls f with a short path of a folder. The path of a socket must not be longer
// than 107 bytes (unix(7)).
func inFolder(dir string, f func(short string) error) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d", folder.Fd()))
}
