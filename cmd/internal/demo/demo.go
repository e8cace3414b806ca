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
	"sync/atomic"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

const (
	kioskID  = "demo"
	consumer = "demo-backend"
)

// Slot is a slot in which the demo inserts and removes cards.
type Slot interface {
	slot.Slot
	Insert(card string) error // card is the name of one of the demo's cards
	Remove()
	Inserted() string // the name of the inserted card, or ""
}

// Demo is a running system.
type Demo struct {
	slot Slot

	kioskSide   *gate // the listener that the kiosk connects to
	backendSide *gate // the listener that the backend connects to; it stays open
	feed        *feed
	hub         *hub.Hub
	daemon      *daemon.Daemon

	phones *phones
	phone  *phone // of a script; nil before the first
	links  *linkPanel
	ahead  atomic.Int64 // nanoseconds by which the hub's clock runs ahead
}

// Loopback is the address for phones of a demo without real ones.
const Loopback = "127.0.0.1:0"

// Open opens the system in dir, and creates it first if dir is empty. newSlot
// returns the kiosk's slot for the cards in a folder. Phones reach the demo at phonesAt.
func Open(ctx context.Context, dir, phonesAt string, newSlot func(cards string) (Slot, error), p terminal.Panel, texts *screen.Catalogue, log *slog.Logger) (*Demo, error) {
	pki, hubDir, kiosk := filepath.Join(dir, "pki"), filepath.Join(dir, "hub"), filepath.Join(dir, "kiosk")
	if err := prepare(dir, pki, hubDir, kiosk); err != nil {
		return nil, err
	}
	c, err := config.Load(filepath.Join(kiosk, "kioskd.toml"))
	if err != nil {
		return nil, err
	}
	d := &Demo{links: newLinkPanel(p)}
	if d.slot, err = newSlot(filepath.Join(pki, "cards")); err != nil {
		return nil, err
	}
	if d.phones, err = openPhones(hubDir, phonesAt, log.With("program", "phones")); err != nil {
		return nil, err
	}
	hubConfig, err := hub.Load(hubDir)
	if err != nil {
		d.phones.close()
		return nil, err
	}
	hubConfig.Now = func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }
	if d.hub, err = hub.Open(ctx, hubConfig, log.With("program", "hub")); err != nil {
		d.phones.close()
		return nil, err
	}
	if _, board := p.(*frontpanel.Panel); !board {
		p = d.links
	}
	if d.daemon, err = daemon.Open(c, daemon.Parts{Slot: d.slot, Panel: p}, texts, log.With("program", "kiosk")); err != nil {
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
		func() error { return d.phones.serve(ctx, d.hub) },
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

// Close closes all parts.
func (d *Demo) Close() error {
	var err error
	for _, l := range []*gate{d.kioskSide, d.backendSide} {
		if l != nil {
			_ = l.Close() // Serve has closed it already, if it ran
		}
	}
	d.phones.close()
	if d.daemon != nil {
		err = d.daemon.Close()
	}
	d.hub.Close()
	return err
}

// HubReachable reports whether the kiosk can reach its hub.
func (d *Demo) HubReachable() bool { return d.kioskSide.open() }

// SetHubReachable connects the kiosk to its hub or disconnects it.
func (d *Demo) SetHubReachable(reachable bool) { d.kioskSide.set(reachable) }

// Later lets the hub's clock run ahead by a time, so that what it waits for expires.
func (d *Demo) Later(by time.Duration) { d.ahead.Add(int64(by)) }

// Outcomes returns the number of visits whose outcome is in the feed. The channel
// is closed when there are more.
func (d *Demo) Outcomes() (int, <-chan struct{}) { return d.feed.countOutcomes() }

// Feed sends past events and then new ones until ctx ends.
func (d *Demo) Feed(ctx context.Context) <-chan json.RawMessage { return d.feed.follow(ctx) }

// Settle waits until the backend has pulled every event that the kiosk has
// recorded, or until ctx ends, and returns what was pulled. It does not wait while
// the kiosk cannot reach its hub.
func (d *Demo) Settle(ctx context.Context) []json.RawMessage {
	for d.HubReachable() {
		events, sequence, changed := d.feed.state()
		if sequence >= d.daemon.Last() && d.daemon.Reported() {
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

// prepare creates PKI, hub and kiosk in folders of dir unless they exist.
func prepare(dir, pki, hubDir, kiosk string) error {
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err == nil {
		return renew(hubDir, kiosk)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("cannot create the demo in %s: the folder holds something else", dir)
	}
	test, err := testpki.New(time.Now())
	if err != nil {
		return err
	}
	if err := test.Write(pki); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	if err := hub.Init(hubDir, hub.InitOptions{
		Listen: address, URL: "https://" + address, Trust: pki, Offline: hubpolicy.Trusted, // so that the demo can show it
	}); err != nil {
		return err
	}
	if err := addKiosk(hubDir, kiosk); err != nil {
		return err
	}
	if _, err := hub.AddConsumer(hubDir, consumer); err != nil {
		return err
	}
	return os.WriteFile(ready, nil, 0o600)
}

// addKiosk makes the kiosk's folder with a key that the hub does not see.
func addKiosk(hubDir, kiosk string) error {
	made := kiosk + ".key"
	if err := devicekey.Create(made, ""); err != nil {
		return err
	}
	request, err := devicekey.Request(made, "")
	if err != nil {
		return err
	}
	bundle, err := hub.AddKioskOf(hubDir, kioskID, request)
	if err != nil {
		return err
	}
	if err := os.Rename(bundle, kiosk); err != nil {
		return err
	}
	return os.Rename(made, filepath.Join(kiosk, "kiosk.key"))
}

// renew issues new certificates in a demo that was not used for a long time. In between
// kioskd would have renewed its own.
func renew(hubDir, kiosk string) error {
	for id, path := range map[hubapi.Identity]string{
		{Role: hubapi.RoleKiosk, Name: kioskID}:     filepath.Join(kiosk, "kiosk.pem"),
		{Role: hubapi.RoleConsumer, Name: consumer}: filepath.Join(hubDir, "consumers", consumer, "consumer.pem"),
	} {
		cert, err := hubapi.ReadCertificate(path)
		if err != nil {
			return err
		}
		if time.Until(cert.NotAfter) > hubapi.EndingSoon {
			continue
		}
		renewed, _, err := hub.RenewClient(hubDir, id)
		if err != nil {
			return err
		}
		if err := os.Rename(renewed, path); err != nil {
			return err
		}
	}
	return nil
}

// freeAddress returns a loopback address with an unused port.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a port for the hub: %w", err)
	}
	return l.Addr().String(), l.Close()
}
