package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/kiosk/clock"
	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Socket is the name of the socket in the state folder through which kioskd serves the
// outbox to kioskctl. bbolt allows only one process to open the file, so other
// processes must ask kioskd.
const Socket = "kioskd.sock"

// listenLocal opens the socket, which only the user of kioskd and root may use.
func listenLocal(state string, log *slog.Logger) (net.Listener, error) {
	path := filepath.Join(state, Socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot make socket: %w", err) // a killed kioskd leaves its socket; the lock on the outbox proves that it has ended
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot make socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // the folder has the same protection
		return nil, errors.Join(fmt.Errorf("cannot make socket: %w", err), l.Close())
	}
	return guardListener(l, log)
}

// listenFeed opens the address from which consumers pull events. It returns nil if
// address is "".
func listenFeed(address string, kiosk *hubapi.Credentials) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the feed: %w", err)
	}
	return tls.NewListener(l, feed.ServerTLS(kiosk)), nil
}

// socket is an open listener and the handler that is served there.
type socket struct {
	listener net.Listener
	handler  http.Handler
}

// openSockets opens the local socket, which is the first of them, and the feed.
func openSockets(c *config.Config, kiosk *hubapi.Credentials, outbox feed.Outbox, now *clock.Clock, who *identity, log *slog.Logger) ([]socket, error) {
	local, err := listenLocal(c.State, log)
	if err != nil {
		return nil, err
	}
	sockets := []socket{{local, serveIdentity(serveClock(feed.Local(outbox, log), now, log), who)}}
	consumers, err := listenFeed(c.Feed.Listen, kiosk)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	if consumers != nil {
		log.Info("feed", "address", consumers.Addr().String())
		sockets = append(sockets, socket{consumers, feed.Consumers(outbox, log)})
	}
	return sockets, nil
}

// serve answers until ctx ends.
func (s socket) serve(ctx context.Context, log *slog.Logger) {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      hubapi.MaxWait + 30*time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelInfo),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("cannot serve the outbox", "address", s.listener.Addr(), "err", err)
	}
}
