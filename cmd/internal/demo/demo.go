// Package demo runs the whole system on one machine without hardware: a test
// PKI with software cards, a hub, a kiosk, and a backend that pulls the feed.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

const (
	kioskID  = "demo"
	consumer = "demo-backend"
)

// Slot is a slot whose card the demo puts in and takes out.
type Slot interface {
	slot.Slot
	Insert(card string) error // the name of one of the demo's cards
	Remove()
	Inserted() string // "" for none
}

// Demo is a running system.
type Demo struct {
	slot Slot

	kioskSide   *gate // where the hub listens for the kiosk
	backendSide *gate // and for the backend, which is never cut off
	feed        *feed
	hub         *hub.Hub
	daemon      *daemon.Daemon
}

// Open makes the system in dir, or opens the one that is there. newSlot gives
// the kiosk's slot for the cards in a folder.
func Open(ctx context.Context, dir string, newSlot func(cards string) (Slot, error), p terminal.Panel, texts *screen.Catalogue, log *slog.Logger) (*Demo, error) {
	pki, hubDir := filepath.Join(dir, "pki"), filepath.Join(dir, "hub")
	bundle, err := prepare(dir, pki, hubDir)
	if err != nil {
		return nil, err
	}
	c, err := config.Load(filepath.Join(bundle, "kioskd.toml"))
	if err != nil {
		return nil, err
	}
	d := &Demo{}
	if d.slot, err = newSlot(filepath.Join(pki, "cards")); err != nil {
		return nil, err
	}
	hubConfig, err := hub.Load(hubDir)
	if err != nil {
		return nil, err
	}
	if d.hub, err = hub.Open(ctx, hubConfig, log.With("program", "hub")); err != nil {
		return nil, err
	}
	// Its hub does not serve yet: there is no use in waiting for that.
	opening, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if d.daemon, err = daemon.Open(opening, c, daemon.Parts{Slot: d.slot, Panel: p}, texts, log.With("program", "kiosk")); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if d.kioskSide, err = listen(hubConfig.Listen); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if d.backendSide, err = listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	_, credentials, err := hub.Consumer(hubDir, consumer)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	url := "https://" + d.backendSide.Addr().String()
	d.feed = newFeed(hubapi.NewClient(url, credentials.TLS), consumer, log.With("program", "backend"))
	return d, nil
}

func listen(address string) (*gate, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the hub: %w", err)
	}
	return newGate(l), nil
}

// Run serves until ctx ends or a part fails.
func (d *Demo) Run(ctx context.Context, version string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := []func() error{
		func() error { return d.hub.Serve(ctx, d.kioskSide) },
		func() error { return d.hub.Serve(ctx, d.backendSide) },
		func() error { return d.daemon.Run(ctx, version) },
		func() error { d.feed.pull(ctx); return nil },
	}
	results := make(chan error)
	for _, part := range parts {
		go func() { results <- part() }()
	}
	var err error
	for range parts {
		if e := <-results; e != nil && !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
		stop()
	}
	return err
}

// Close lets go of everything.
func (d *Demo) Close() error {
	var err error
	for _, l := range []*gate{d.kioskSide, d.backendSide} {
		if l != nil {
			_ = l.Close() // Serve has closed it already, if it ran
		}
	}
	if d.daemon != nil {
		err = d.daemon.Close()
	}
	d.hub.Close()
	return err
}

// HubReachable tells whether the kiosk can reach its hub.
func (d *Demo) HubReachable() bool { return d.kioskSide.open() }

// SetHubReachable cuts the kiosk off from its hub, or lets it back.
func (d *Demo) SetHubReachable(reachable bool) { d.kioskSide.set(reachable) }

// Outcomes gives the number of visits that the feed has told of; the channel
// is closed when it tells of more.
func (d *Demo) Outcomes() (int, <-chan struct{}) { return d.feed.countOutcomes() }

// Feed sends past events, then new ones, until ctx ends.
func (d *Demo) Feed(ctx context.Context) <-chan json.RawMessage { return d.feed.follow(ctx) }

// Settle waits until the backend has pulled all that the kiosk has written
// down, as far as the hub can be reached, and gives it.
func (d *Demo) Settle(ctx context.Context) []json.RawMessage {
	for d.HubReachable() {
		events, sequence, changed := d.feed.state()
		if sequence >= d.daemon.Last() {
			return events
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return events
		}
	}
	events, _, _ := d.feed.state()
	return events
}

// prepare makes what is not there yet, and gives the kiosk's bundle.
func prepare(dir, pki, hubDir string) (bundle string, err error) {
	bundle = filepath.Join(hubDir, "kiosks", kioskID)
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err == nil {
		return bundle, nil
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("cannot make the demo in %s: there is something else in it", dir)
	}
	test, err := testpki.New(time.Now())
	if err != nil {
		return "", err
	}
	if err := test.Write(pki); err != nil {
		return "", err
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	if err := hub.Init(hubDir, hub.InitOptions{
		Listen: address, URL: "https://" + address, Trust: pki,
	}); err != nil {
		return "", err
	}
	if _, err := hub.AddKiosk(hubDir, kioskID); err != nil {
		return "", err
	}
	if _, err := hub.AddConsumer(hubDir, consumer); err != nil {
		return "", err
	}
	return bundle, os.WriteFile(ready, nil, 0o600)
}

// freeAddress gives a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a port for the hub: %w", err)
	}
	return l.Addr().String(), l.Close()
}
