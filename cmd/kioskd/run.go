package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"smartkiosk/cmd/kioskd/internal/config"
	"smartkiosk/cmd/kioskd/internal/daemon"
	"smartkiosk/device/panel"
	"smartkiosk/device/reader"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// runKiosk serves one kiosk until ctx ends.
func runKiosk(ctx context.Context, args []string, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	flags := flag.NewFlagSet("kioskd run", flag.ContinueOnError)
	file := flags.String("config", "/etc/smartkiosk/kioskd.toml", "configuration file")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	c, err := config.Load(*file)
	if err != nil {
		return err
	}
	texts, err := screen.Load()
	if err != nil {
		return err
	}
	front, err := openFront(c.Panel, texts, log)
	if err != nil {
		return err
	}
	defer front.close()
	// Until it serves, and when it cannot, people are told so.
	front.Show(kiosk.Screen{ID: kiosk.ScreenOutOfService, Language: c.Language})
	serve := func(ctx context.Context) error {
		parts := daemon.Parts{Slot: reader.New(c.Reader.Match, log), Panel: front.Panel, Watchdog: front.watchdog}
		d, err := daemon.Open(ctx, c, parts, texts, log)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // told to end while it waited
		}
		if err != nil {
			return err
		}
		return errors.Join(d.Run(ctx, version()), d.Close())
	}
	if front.web == nil {
		return serve(ctx)
	}
	return withPage(ctx, c.Panel.Listen, panelPage(front.web), log, func(ctx context.Context, url string) error {
		log.Info("panel", "url", url)
		return serve(ctx)
	})
}

// panelPage has the panel at / too.
func panelPage(p *panel.Panel) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/panel/", p.Handler())
	mux.Handle("/{$}", http.RedirectHandler("/panel/", http.StatusSeeOther))
	return mux
}

// withPage serves a page on a loopback address while work runs. Either's
// failure ends both.
func withPage(ctx context.Context, address string, h http.Handler, log *slog.Logger, work func(ctx context.Context, url string) error) error {
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
