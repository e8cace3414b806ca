package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTime bounds how long JetStream may take to load its folder.
const startTime = 2 * time.Minute

// embedded is a NATS server inside this process. It opens a network port only for consumers
// with a NATS client. Commands reach it through a socket in its folder. After a write error JetStream refuses all writes until
// the server is started again, so the server can be replaced while its connection, and all
// that was made from it, stay.
type embedded struct {
	dir    string
	log    *slog.Logger
	conn   *nats.Conn
	lock   *os.File
	socket *storageServer
	access access

	// trouble gets a value when the server has logged an error.
	trouble chan struct{}

	mu     sync.Mutex
	server *server.Server // nil while it is being replaced
}

// startEmbedded runs JetStream in a folder. Everything that it acknowledges is on disk,
// because SyncAlways is set; by default it would sync every two minutes only.
func startEmbedded(dir string, by folderUser, log *slog.Logger) (*embedded, error) {
	return startWith(dir, by, closed{}, log)
}

// access is how others reach the server through the network.
type access interface {
	configure(o *server.Options) error
	use(srv *server.Server) // is called when a server runs with these options
}

// closed is the access to a server without a port.
type closed struct{}

func (closed) configure(o *server.Options) error { o.DontListen = true; return nil }
func (closed) use(*server.Server)                {}

// startWith is startEmbedded with an access through the network.
func startWith(dir string, by folderUser, access access, log *slog.Logger) (*embedded, error) {
	e, err := openEmbedded(dir, by, access, log)
	if err != nil {
		return nil, fmt.Errorf("cannot open JetStream in %s: %w", dir, err)
	}
	return e, nil
}

func openEmbedded(dir string, by folderUser, access access, log *slog.Logger) (*embedded, error) {
	lock, err := lockFolder(dir, by)
	if err != nil {
		return nil, err
	}
	if err := checkNotMoved(dir); err != nil {
		lock.Close()
		return nil, err
	}
	e := &embedded{dir: dir, log: log, lock: lock, access: access, trouble: make(chan struct{}, 1)}
	if err := e.start(); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// start runs the server, connects to it and opens its socket.
func (e *embedded) start() (err error) {
	if err := e.run(); err != nil {
		return err
	}
	e.conn, err = nats.Connect("", nats.InProcessServer(e),
		// After the server was replaced, the connection is made again. Meanwhile requests
		// fail at once.
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { e.log.Debug("jetstream", "err", err) }),
	)
	if err != nil {
		return err
	}
	e.socket, err = listenStorage(e.dir, e, e.log)
	return err
}

// reconnectWait is the time between two attempts to connect to a server that was replaced.
const reconnectWait = 20 * time.Millisecond

// run starts a server.
func (e *embedded) run() error {
	space, err := measure(e.dir)
	if err != nil {
		return err
	}
	options := &server.Options{
		ServerName: "smartkiosk-hub",
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   e.dir,
		SyncAlways: true,
		// By default JetStream takes 75 % of the space that is free at its start, and a
		// restart then finds even less.
		JetStreamMaxStore:      int64(space.size - space.reserve()),
		MaxPayload:             2 * maxMessage, // the default of NATS servers, which an external cluster has too
		DisableJetStreamBanner: true,
	}
	if err := e.access.configure(options); err != nil {
		return err
	}
	srv, err := server.NewServer(options)
	if err != nil {
		return err
	}
	logger := &natsLog{log: e.log, fatal: make(chan error, 1), trouble: e.trouble}
	srv.SetLoggerV2(logger, false, false, false)
	ready := make(chan error, 1)
	go func() {
		srv.Start()
		if !srv.ReadyForConnections(startTime) {
			ready <- fmt.Errorf("the server is not ready after %s", startTime)
		}
		ready <- nil
	}()
	select {
	case err = <-ready:
	case err = <-logger.fatal:
	}
	if err != nil {
		shutDown(srv)
		return err
	}
	e.access.use(srv)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server = srv
	return nil
}

func shutDown(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// end ends the server. Without a server it does nothing and returns no error.
func (e *embedded) end() {
	e.mu.Lock()
	srv := e.server
	e.server = nil
	e.mu.Unlock()
	if srv != nil {
		shutDown(srv)
	}
}

// restart replaces the server, and waits until the connection works again.
func (e *embedded) restart(ctx context.Context) error {
	e.end()
	if err := e.run(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !e.conn.IsConnected() {
		select {
		case <-time.After(reconnectWait):
		case <-ctx.Done():
			return fmt.Errorf("cannot connect to the server: %w", ctx.Err())
		}
	}
	return e.conn.FlushWithContext(ctx)
}

var errRestarting = errors.New("JetStream is being restarted")

// InProcessConn implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil, errRestarting
	}
	return e.server.InProcessConn()
}

// writeError returns why a stream refuses all writes, or nil. JetStream reports a stream
// only after a message could not be stored.
func (e *embedded) writeError() error {
	e.mu.Lock()
	srv := e.server
	e.mu.Unlock()
	if srv == nil {
		return errRestarting
	}
	if s := srv.Healthz(&server.HealthzOptions{}); s.StatusCode != http.StatusOK {
		return errors.New(s.Error)
	}
	return nil
}

func (e *embedded) close() {
	if e.socket != nil {
		e.socket.close()
	}
	if e.conn != nil {
		e.conn.Close()
	}
	e.end()
	if e.socket != nil {
		e.socket.wait()
	}
	e.lock.Close()
}

// errFolderInUse says that another process has a JetStream folder open.
var errFolderInUse = errors.New("another hub uses the folder")

// folderUser says which kind of process has a JetStream folder open. The lock file holds
// it.
type folderUser string

const (
	byHub     folderUser = "hub"
	byCommand folderUser = "command" // has it open for a moment; a hub that starts waits for it
)

// lockFolder locks the folder for this process, because JetStream itself would let two
// servers write into it. The lock ends with the process, even if that is killed.
func lockFolder(dir string, by folderUser) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(storageWait); ; time.Sleep(50 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || by == byCommand || time.Now().After(deadline) {
			break
		}
		held := make([]byte, len(byCommand))
		if n, _ := f.ReadAt(held, 0); folderUser(held[:n]) != byCommand {
			break
		}
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, string(by)))
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errFolderInUse
		}
		return nil, err
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// natsLog writes the server's messages to the hub's log. Its notices, about starting and
// stopping, do not help an operator, so they become debug messages.
type natsLog struct {
	log     *slog.Logger
	fatal   chan error
	trouble chan<- struct{} // gets a value after an error
}

func (l *natsLog) Noticef(format string, v ...any) {
	l.log.Debug("jetstream", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Warnf(format string, v ...any) {
	l.log.Warn("jetstream", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Errorf(format string, v ...any) {
	l.log.Error("jetstream", "text", fmt.Sprintf(format, v...))
	select {
	case l.trouble <- struct{}{}:
	default:
	}
}
func (l *natsLog) Debugf(string, ...any) {}
func (l *natsLog) Tracef(string, ...any) {}

// Fatalf keeps the first fatal error for start.
func (l *natsLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	l.log.Error("jetstream", "err", err)
	select {
	case l.fatal <- err:
	default:
	}
}
