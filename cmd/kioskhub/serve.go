package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/service"
	"smartkiosk/kiosk/hub"
)

func (p program) serveCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve from a hub's folder until SIGTERM or SIGINT",
		Args:  cli.Args(),
		RunE:  func(c *cobra.Command, _ []string) error { return p.serve(c.Context(), dir) },
	}
	dirFlag(c, &dir)
	return c
}

// serve logs "hub ready" when the hub answers. Connections wait until then.
func (p program) serve(ctx context.Context, dir string) error {
	cfg, err := hub.Load(dir)
	if err != nil {
		return err
	}
	return p.serveHub(ctx, cfg)
}

// serveHub is serve with a configuration.
func (p program) serveHub(ctx context.Context, cfg hub.Config) error {
	// The listener comes first, because it fails quickly if the address is in use.
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	defer ln.Close()
	var phones net.Listener
	if address := cfg.PublicListen(); address != "" {
		if phones, err = net.Listen("tcp", address); err != nil {
			return fmt.Errorf("cannot serve phones: %w", err)
		}
		defer phones.Close()
	}
	h, err := hub.Open(ctx, cfg, p.log)
	if err != nil {
		return err
	}
	defer h.Close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	served := make(chan error, 1)
	if phones != nil {
		go func() { served <- h.ServePublic(ctx, phones); end() }()
	} else {
		served <- nil
	}
	manager := service.New(p.log, service.Systemd, storeWrites)
	p.log.Info("hub ready", "address", ln.Addr(), "url", cfg.URL)
	manager.Ready()
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); p.feedWatchdog(watching, h.ProveWrite, manager) }()
	err = h.Serve(ctx, ln)
	manager.Stopping()
	stop()
	<-watched
	end()
	err = errors.Join(err, <-served)
	if err != nil {
		return err
	}
	p.log.Info("hub stopped")
	return nil
}

// storeWrites is the hub's part that feeds the service manager's watchdog.
const storeWrites = "store"

// proveEvery is the interval between two writes that prove that the store works.
const proveEvery = 15 * time.Second

// feedWatchdog reports to the service manager, until ctx ends, that the store writes, or that
// the hub knows why it does not: then it goes on by itself, and still serves what it can read.
func (p program) feedWatchdog(ctx context.Context, prove func(context.Context) error, manager *service.Manager) {
	for {
		switch err := prove(ctx); {
		case err == nil, errors.As(err, new(hub.StoreError)):
			manager.Alive(storeWrites)
		case ctx.Err() == nil:
			p.log.Error("the store cannot write; the service manager restarts the hub if that goes on", "err", err)
		}
		select {
		case <-time.After(proveEvery):
		case <-ctx.Done():
			return
		}
	}
}
