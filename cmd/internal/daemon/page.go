package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"smartkiosk/cmd/internal/config"
	"time"
)

// ServePage serves a page on a loopback address while work runs. Either's
// failure ends both.
func ServePage(ctx context.Context, address string, h http.Handler, log *slog.Logger, work func(ctx context.Context, url string) error) error {
	if err := config.CheckLoopback(address); err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot serve the panel: %w", err)
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
