package main

import (
	"context"
	"fmt"
	"net"

	"smartkiosk/kiosk/hub"
)

func (m *Main) parseServe(name string, args []string) error {
	fs := m.flags(name, "")
	dir := dirFlag(fs)
	if _, err := arguments(fs, args); err != nil {
		return err
	}
	m.run = func(ctx context.Context) error { return m.serve(ctx, *dir) }
	return nil
}

// serve logs "hub ready" when it answers. Until then connections wait.
func (m *Main) serve(ctx context.Context, dir string) error {
	cfg, err := hub.Load(dir)
	if err != nil {
		return err
	}
	// First, because an address in use is quick to find out.
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	m.closers = append(m.closers, func() { ln.Close() })
	h, err := hub.Open(ctx, cfg, m.log)
	if err != nil {
		return err
	}
	m.closers = append(m.closers, h.Close)
	m.log.Info("hub ready", "listen", ln.Addr(), "url", cfg.URL)
	if err := h.Serve(ctx, ln); err != nil {
		return err
	}
	m.log.Info("hub stopped")
	return nil
}
