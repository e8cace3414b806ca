// Package daemon wires one kiosk together: slot, panel, visit machine, outbox
// and hub. kioskd run and kioskd demo differ in the parts they hand to it.
package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/cmd/kioskd/internal/config"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/event"
	"smartkiosk/kiosk/hubapi"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/push"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/kiosk/trust"
	"smartkiosk/store"
)

// Daemon is a kiosk that is ready to serve.
type Daemon struct {
	terminal *terminal.Terminal
	journal  *journal.Journal
	store    *store.Store
	records  *store.Records
	cards    *cardRecords
	client   *hubapi.Client
	log      *slog.Logger
}

// Open reads the kiosk's keys and trust domains and opens its outbox. Texts
// are the panel's languages.
func Open(c *config.Config, s slot.Slot, p terminal.Panel, texts *screen.Catalogue, log *slog.Logger) (*Daemon, error) {
	if !texts.Has(c.Language) {
		return nil, fmt.Errorf("language %q has no texts", c.Language)
	}
	credentials, err := hubapi.LoadCredentials(c.Hub.CA, c.Hub.Certificate, c.Hub.Key)
	if err != nil {
		return nil, err
	}
	if who := (hubapi.Identity{Role: hubapi.RoleKiosk, Name: c.ID}); credentials.Identity != who {
		return nil, fmt.Errorf("certificate %s is for %s, not for %s", c.Hub.Certificate, credentials.Identity, who)
	}
	domains, err := trust.Load(c.Trust.Domains)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(c, credentials)
	if err != nil {
		return nil, err
	}
	clocks, err := machineClocks()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make state folder: %w", err)
	}
	outbox, err := store.Open(filepath.Join(c.State, "outbox.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	records, err := openRecords(filepath.Join(c.State, "records.db"), clocks.Now(), log)
	if err != nil {
		return nil, errors.Join(err, outbox.Close())
	}
	cards := newCardRecords(records, log)
	driver, err := newCardDriver(filepath.Join(c.State, "cards.key"), cards)
	if err != nil {
		cards.close()
		return nil, errors.Join(err, records.Close(), outbox.Close())
	}
	d := &Daemon{
		store:   outbox,
		records: records,
		cards:   cards,
		journal: &journal.Journal{Sealer: sealer, Outbox: outbox, Clocks: clocks, Origin: c.Hub.URL},
		client:  hubapi.NewClient(c.Hub.URL, credentials.TLS),
		log:     log,
	}
	d.terminal = &terminal.Terminal{
		Slot: cardSlot{s, driver}, Panel: p, Hub: d.client, Journal: d.journal,
		Domains: domains, Origin: c.Hub.URL, Offline: c.Trust.Offline,
		Config: kiosk.Config{Languages: languages(texts, c.Language), Timing: kiosk.DefaultTiming},
		Now:    clocks.Now, Log: log,
	}
	return d, nil
}

func newSealer(c *config.Config, credentials *hubapi.Credentials) (*event.Sealer, error) {
	data, err := os.ReadFile(c.Hub.Seal)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's sealing key: %w", err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(data, &key); err != nil {
		return nil, fmt.Errorf("cannot read the hub's sealing key %s: %w", c.Hub.Seal, err)
	}
	return event.NewSealer(c.ID, credentials.Key, &key)
}

// Run serves visits and pushes events until ctx ends. When it returns, every
// outcome is in the outbox.
func (d *Daemon) Run(ctx context.Context, version string) error {
	if err := d.journal.Started(version); err != nil {
		return err
	}
	pushing, stop := context.WithCancel(ctx)
	pushed := make(chan error, 1)
	go func() { pushed <- push.Run(pushing, d.store, d.client.SendEvents, d.log) }()
	d.log.Info("ready")
	err := d.terminal.Run(ctx)
	stop()
	if e := <-pushed; !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	return err
}

// Last is the sequence number of the last event written down.
func (d *Daemon) Last() uint64 { return d.journal.Last() }

// Close lets go of the outbox and the records.
func (d *Daemon) Close() error {
	d.cards.close()
	return errors.Join(d.records.Close(), d.store.Close())
}
