// Package daemon wires one kiosk together: slot, panel, visit machine, outbox
// and hub. kioskd run and kioskd demo differ in the parts they hand to it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/board"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

// Daemon is a kiosk that is ready to serve.
type Daemon struct {
	terminal *terminal.Terminal
	journal  *journal.Journal
	store    *trackedOutbox
	records  *store.Records
	cards    *cardRecords
	client   *hubapi.Client
	device   io.Closer // of the device key; nil until Open is done
	offline  *offlineMode
	log      *slog.Logger

	visits  *visits
	scarce  atomic.Bool // the outbox nears its end
	room    chan bool   // for visits, as it changes
	sockets []socket    // where the outbox is served
	proxy   *proxy      // nil without scproxy

	front    *frontpanel.Panel // nil for a panel that is not made of parts
	watchdog watchdog
}

// Parts are what a kiosk works with.
type Parts struct {
	Slot     slot.Slot
	Panel    terminal.Panel
	Watchdog *board.Watchdog // nil for none
}

// Open reads the kiosk's keys and trust domains and opens its outbox. Texts
// are the panel's languages. Where nothing on this machine says how far the
// events came, it asks the hub until that answers, or ctx ends.
func Open(ctx context.Context, c *config.Config, parts Parts, texts *screen.Catalogue, log *slog.Logger) (*Daemon, error) {
	if !texts.Has(c.Language) {
		return nil, fmt.Errorf("language %q has no texts", c.Language)
	}
	credentials, device, err := openCredentials(c)
	if err != nil {
		return nil, err
	}
	d, err := open(ctx, c, credentials, parts, texts, log)
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	d.device = device
	return d, nil
}

func open(ctx context.Context, c *config.Config, credentials *hubapi.Credentials, parts Parts, texts *screen.Catalogue, log *slog.Logger) (*Daemon, error) {
	clocks, err := machineClocks()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make state folder: %w", err)
	}
	seals, err := openSealing(c, credentials.Key, log)
	if err != nil {
		return nil, err
	}
	sealer, err := seals.sealer()
	if err != nil {
		return nil, err
	}
	records, err := openRecords(filepath.Join(c.State, "records.db"), clocks.Now(), log)
	if err != nil {
		return nil, err
	}
	now, err := openClock(records, credentials, &clocks)
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	events := &journal.Journal{Sealer: sealer, Clocks: clocks, Origin: c.Hub.URL}
	client := hubapi.NewClient(c.Hub.URL, credentials.TLS)
	client.Heard = now.Told
	opening := outboxOpening{
		path:    filepath.Join(c.State, "outbox.db"),
		options: store.Options{MaxSize: c.Outbox.MaxMB << 20, Keep: c.Outbox.Keep, Required: c.Feed.Required},
		records: records, journal: events, send: client.SendEvents, watchdog: askingWatchdog(parts.Watchdog, log), log: log,
	}
	outbox, err := opening.open(ctx)
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	events.Outbox = outbox
	cards := newCardRecords(records, log)
	driver, err := newCardDriver(c.Reader.Profiles, filepath.Join(c.State, "cards.key"), cards)
	if err != nil {
		cards.close()
		return nil, errors.Join(err, records.Close(), outbox.Close())
	}
	d := &Daemon{
		store:   outbox,
		records: records,
		cards:   cards,
		journal: events,
		client:  client,
		log:     log,

		visits: newVisits(parts.Panel),
		room:   make(chan bool),
	}
	events.Scarce = d.scarce.Load
	if d.sockets, err = openSockets(c, credentials, outbox, log); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if c.SCProxy.Enabled {
		if d.proxy, err = openProxy(c.State, quietSlot{parts.Slot, d.visits.busy}, log); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	seal := func(k sealkey.Key) error { return seals.follow(k, events) }
	if d.offline, err = openOfflineMode(c, records, now, client, seal, log); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	slots, err := openCards(c.Reader, parts.Slot, driver)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.terminal = &terminal.Terminal{
		Slot: slots, Panel: d.visits, Room: d.room, Hub: d.client, Journal: d.journal,
		Decider: d.offline.decider, Origin: c.Hub.URL,
		Config: kiosk.Config{Languages: languages(texts, c.Language), Timing: kiosk.DefaultTiming},
		Now:    clocks.Now, Log: log,
	}
	d.attach(parts.Panel)
	if parts.Watchdog != nil {
		d.OpenWatchdog(parts.Watchdog)
	}
	return d, nil
}

// Run serves visits and pushes events until ctx ends. When it returns, every
// outcome is in the outbox. It fails with store.ErrBroken when outbox or
// records must be opened anew: then so must the Daemon.
func (d *Daemon) Run(ctx context.Context, version string) error {
	if level, err := d.store.Level(); err == nil {
		d.scarce.Store(level != store.Roomy)
	}
	if err := d.journal.Started(version); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	background, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { d.push(background) })
	beside.Go(func() { d.tend(background, end) })
	for _, s := range d.sockets {
		beside.Go(func() { s.serve(background, d.log) })
	}
	if d.proxy != nil {
		beside.Go(func() { d.proxy.serve(background, d.log) })
	}
	beside.Go(func() { d.offline.syncer.Run(background) })
	beside.Go(func() { d.watchClock(background) })
	if d.front != nil {
		beside.Go(func() { d.reportParts(background) })
	}
	beside.Go(func() { d.watchdog.run(background) })
	d.log.Info("ready")
	err := d.terminal.Run(ctx)
	stop()
	beside.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrBroken) {
		return errors.Join(cause, err)
	}
	return err
}

// Last is the sequence number of the last event written down.
func (d *Daemon) Last() uint64 { return d.journal.Last() }

// Close lets go of the outbox and the records.
func (d *Daemon) Close() error {
	d.cards.close()
	for _, s := range d.sockets {
		_ = s.listener.Close() // after Run it is
	}
	if d.proxy != nil {
		_ = d.proxy.listener.Close() // after Run it is
	}
	err := errors.Join(d.records.Close(), d.store.Close())
	if d.device != nil {
		err = errors.Join(err, d.device.Close())
	}
	return err
}
