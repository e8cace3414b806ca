package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
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
	// The listener comes first, because it fails quickly if the address is in use.
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	defer ln.Close()
	h, err := hub.Open(ctx, cfg, p.log)
	if err != nil {
		return err
	}
	defer h.Close()
	p.log.Info("hub ready", "address", ln.Addr(), "url", cfg.URL)
	if err := h.Serve(ctx, ln); err != nil {
		return err
	}
	p.log.Info("hub stopped")
	return nil
}
