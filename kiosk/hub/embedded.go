package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTime bounds how long JetStream may take to load its folder.
const startTime = 2 * time.Minute

// noStoreLimit leaves the limit to the disk. By default JetStream takes 75 % of the space
// that is free at its start, and refuses all writes after that; a restart then finds even
// less.
const noStoreLimit = 1 << 50

// embedded is a NATS server inside this process. It opens no network port. Commands reach
// it through a socket in its folder.
type embedded struct {
	server *server.Server
	conn   *nats.Conn
	lock   *os.File
	socket *storageServer
}

// startEmbedded runs JetStream in a folder. Everything that it acknowledges is on disk,
// because SyncAlways is set; by default it would sync every two minutes only.
func startEmbedded(dir string, by folderUser, log *slog.Logger) (*embedded, error) {
	e, err := openEmbedded(dir, by, log)
	if err != nil {
		return nil, fmt.Errorf("cannot open JetStream in %s: %w", dir, err)
	}
	return e, nil
}

func openEmbedded(dir string, by folderUser, log *slog.Logger) (*embedded, error) {
	lock, err := lockFolder(dir, by)
	if err != nil {
		return nil, err
	}
	e := &embedded{lock: lock}
	if err := e.start(dir, log); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *embedded) start(dir string, log *slog.Logger) error {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "smartkiosk-hub",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             true,
		JetStreamMaxStore:      noStoreLimit,
		MaxPayload:             2 * maxMessage, // the default of NATS servers, which an external cluster has too
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	e.server = srv
	logger := &natsLog{log: log, fatal: make(chan error, 1)}
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
		return err
	}
	if e.conn, err = nats.Connect("", nats.InProcessServer(srv)); err != nil {
		return err
	}
	e.socket, err = listenStorage(dir, srv, log)
	return err
}

func (e *embedded) close() {
	if e.socket != nil {
		e.socket.close()
	}
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
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
	log   *slog.Logger
	fatal chan error
}

func (l *natsLog) Noticef(format string, v ...any) {
	l.log.Debug("jetstream", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Warnf(format string, v ...any) {
	l.log.Warn("jetstream", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Errorf(format string, v ...any) {
	l.log.Error("jetstream", "text", fmt.Sprintf(format, v...))
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
