package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"smartkiosk/cmd/internal/config"
)

// ServePage serves a page on a loopback address while work runs. If one of them
// fails, both end. Only root, the user of this process and the named users may
// connect.
func ServePage(ctx context.Context, address string, users []string, h http.Handler, log *slog.Logger, work func(ctx context.Context, url string) error) error {
	if err := config.CheckLoopback(address); err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot serve the panel: %w", err)
	}
	if l, err = guardListener(l, log, users...); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends the streams
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() {
		err := server.Serve(l)
		stop()
		served <- err
	}()
	err = work(ctx, "http://"+l.Addr().String()+"/")
	stop()
	if e := server.Close(); e != nil {
		err = errors.Join(err, e)
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("cannot serve the panel: %w", e))
	}
	return err
}
