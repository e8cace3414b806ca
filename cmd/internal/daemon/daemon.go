// Package daemon connects the parts of one kiosk: slot, panel, visit machine, outbox
// and hub. kioskd and kioskdemo use it with different parts.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/cmd/internal/service"
	"smartkiosk/device/board"
	"smartkiosk/device/browser"
	"smartkiosk/device/freemem"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/kiosk/update"
	"smartkiosk/store"
)

// Daemon is a kiosk that is ready to serve.
type Daemon struct {
	terminal *terminal.Terminal
	journal  *journal.Journal
	store    *store.Store
	records  *store.Records
	client   *hubapi.Client
	offline  *offlineMode
	identity *identity
	log      *slog.Logger
	closers  closers // close what Open has opened so far

	visits  *visits
	cards   *visits                // those that need the card themselves: not while a hosted page has it
	browser *browser.Link          // nil without a browser for hosted pages
	scarce  atomic.Bool            // the outbox is nearly full
	room    chan bool              // sent to the terminal when it changes: whether there is room for a visit
	offers  latest[kiosk.Services] // sent to the terminal when they change
	sockets []socket               // where the outbox is served
	proxy   *proxy                 // nil without scproxy

	voice      *voice            // nil without speech
	front      *frontpanel.Panel // nil if the panel has no parts
	watchdog   watchdog
	lastReport *lastReport
	shown      *shownPanel
	updates    *update.Agent  // nil without Parts.Installer
	doctor     Doctor         // nil for none
	questions  latest[string] // of the newest policy, for doctor
}

// Parts are the devices that a kiosk works with.
type Parts struct {
	Slot     slot.Slot
	Panel    terminal.Panel
	Speech   Speaker          // nil for none
	Browser  *browser.Link    // nil for none
	Watchdog *board.Watchdog  // nil for none
	Service  *service.Manager // made with ServiceParts; nil for none

	Installer Installer // nil if the system of this machine is not the kiosk's
	Doctor    Doctor    // nil for none
}

// Open reads the kiosk's keys and trust domains and opens its outbox. texts contains
// the panel's languages.
func Open(c *config.Config, parts Parts, texts *screen.Catalogue, log *slog.Logger) (*Daemon, error) {
	if !texts.Has(c.Language) {
		return nil, fmt.Errorf("cannot use language %q: it has no texts", c.Language)
	}
	d := &Daemon{log: log, visits: newVisits(), cards: newVisits(), browser: parts.Browser, room: make(chan bool), offers: make(latest[kiosk.Services], 1), questions: make(latest[string], 1)}
	if err := d.open(c, parts, texts); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open opens everything in turn. It adds what it has opened to d.closers, also when it
// returns an error.
func (d *Daemon) open(c *config.Config, parts Parts, texts *screen.Catalogue) error {
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return fmt.Errorf("cannot make state folder: %w", err)
	}
	secrets, err := readLocalSecrets(c, d.log)
	if err != nil {
		return err
	}
	credentials, device, err := OpenCredentials(c)
	if err != nil {
		return err
	}
	d.closers.add(device.Close)
	clocks, err := machineClocks()
	if err != nil {
		return err
	}
	seals, err := openSealing(c, credentials.Key, d.log)
	if err != nil {
		return err
	}
	sealer, err := seals.sealer()
	if err != nil {
		return err
	}
	if d.records, err = openRecords(filepath.Join(c.State, "records.db"), clocks.Now(), d.log); err != nil {
		return err
	}
	d.closers.add(d.records.Close)
	now, err := openClock(d.records, credentials, &clocks)
	if err != nil {
		return err
	}
	d.journal = &journal.Journal{Sealer: sealer, Clocks: clocks, Origin: c.Hub.URL, Scarce: d.scarce.Load}
	d.client = hubapi.NewClient(c.Hub.URL, credentials.TLS)
	d.client.Heard, d.client.Signed = now.Told, now.AtLeast
	if d.client.Former, err = formerCertificates(c.State, credentials.TLS.Certificates[0].Leaf); err != nil {
		return err
	}
	d.identity = newIdentity(c, credentials, now.At, d.log)
	d.client.Instance, d.client.Twin = hubapi.NewInstance(), d.identity.heardTwin
	corner := &marks{show: func(string) {}}
	if p, ok := parts.Panel.(interface{ Mark(string) }); ok {
		corner.show = p.Mark
	}
	d.identity.show = corner.from(identityMark)
	opening := outboxOpening{
		path:    filepath.Join(c.State, outboxFile),
		options: store.Options{MaxSize: c.Outbox.MaxMB << 20, Keep: c.Outbox.Keep, Required: c.Feed.Required},
		journal: d.journal, log: d.log,
	}
	if d.store, err = opening.open(); err != nil {
		return err
	}
	d.closers.add(d.store.Close)
	if d.lastReport, err = openLastReport(filepath.Join(c.State, "shown"), d.log); err != nil {
		return err
	}
	d.closers.add(d.lastReport.close)
	cards := newCardRecords(d.records, d.log)
	d.closers.add(func() error { cards.close(); return nil })
	driver, err := newCardDriver(c.Reader.Profiles, secrets, cards)
	if err != nil {
		return err
	}
	if d.sockets, err = openSockets(c, credentials, d.store, now, d.identity, d.log); err != nil {
		return err
	}
	for _, s := range d.sockets {
		d.closers.addListener(s.listener)
	}
	if c.SCProxy.Enabled {
		if d.proxy, err = openProxy(c, quietSlot{parts.Slot, d.cards}, d.log); err != nil {
			return err
		}
		d.closers.addListener(d.proxy.listener)
	}
	d.sockets[0].handler = serveRecording(d.sockets[0].handler, d.proxy)
	seal := func(k sealkey.Key) error { return seals.follow(k, d.journal) }
	followed := func(p hubpolicy.Policy) {
		d.offers.set(p.Services)
		if d.updates != nil {
			d.updates.Offer(p.Update)
		}
		d.questions.set(p.Doctor)
	}
	if parts.Installer != nil {
		d.updates = d.openUpdates(c, parts.Installer, clocks.BootID, corner.from(updateMark))
	}
	if d.offline, err = openOfflineMode(c, d.records, now, secrets.holders, d.client, seal, followed, d.log); err != nil {
		return err
	}
	slots, again, err := openCards(c.Reader, parts.Slot, driver)
	if err != nil {
		return err
	}
	if d.proxy != nil {
		slots = pageSlot{slots, d.proxy.service.Uses, again}
	}
	d.terminal = &terminal.Terminal{
		Slot: slots, Panel: parts.Panel, InProgress: d.inProgress, Lends: d.lends, ClearStack: freemem.ClearStack, Room: d.room, Services: d.offers, Hub: d.client, Logins: d.client, Journal: d.journal, Told: d.lastReport.write,
		Decider: d.offline.decider, Origin: c.Hub.URL, Pages: pagesOn(parts.Panel),
		Config: kiosk.Config{Languages: languages(texts, c.Language), Timing: kiosk.DefaultTiming, FullNames: c.Panel.Names == "full", Speech: parts.Speech != nil},
		Now:    clocks.Now, Log: d.log,
	}
	if err := d.openHostedPages(c, parts.Browser); err != nil {
		return err
	}
	if parts.Speech != nil {
		d.voice = newVoice(parts.Panel, texts, okKey(parts.Panel), parts.Speech, d.log)
		d.terminal.Panel = d.voice
	}
	d.doctor = parts.Doctor
	d.shown = &shownPanel{Panel: d.terminal.Panel}
	d.terminal.Panel = d.shown
	d.attach(parts.Panel)
	d.watchdog.service = parts.Service
	d.feedFromVisits()
	if parts.Watchdog != nil {
		d.OpenWatchdog(parts.Watchdog)
	}
	return nil
}

// Run serves visits and pushes events until ctx ends. When it returns, every outcome is
// in the outbox. It returns store.ErrBroken when the outbox or the records must be
// opened again. The caller must then close the Daemon and open a new one.
func (d *Daemon) Run(ctx context.Context, version string) error {
	if level, err := d.store.Level(); err == nil {
		d.scarce.Store(level != store.Roomy)
	}
	if err := d.journal.Settle(d.lastReport.read()); err != nil && !errors.Is(err, store.ErrFull) {
		return err
	}
	if err := d.journal.Started(version); err != nil {
		return err
	}
	began := time.Now()
	d.sockets[0].handler = serveStatus(d.sockets[0].handler, func() Status {
		return d.status(version, time.Since(began))
	})
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	background, stop := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { d.push(background) })
	tasks.Go(func() { d.tend(background, end) })
	for _, s := range d.sockets {
		tasks.Go(func() { s.serve(background, d.log) })
	}
	if d.proxy != nil {
		tasks.Go(func() { d.proxy.serve(background, d.log) })
		if d.proxy.recorder != nil {
			d.terminal.Recording = d.proxy.recorder.Watch(background)
		}
	}
	tasks.Go(func() { d.offline.syncer.Run(background) })
	tasks.Go(func() { d.watchClock(background) })
	tasks.Go(func() { d.forget(background) })
	tasks.Go(func() { d.identity.run(background) })
	if d.doctor != nil {
		tasks.Go(func() { d.answerQuestions(background) })
	}
	if d.updates != nil {
		d.updates.Version = systemVersion("/etc/os-release", version)
		tasks.Go(func() { d.updates.Run(background) })
	}
	if d.front != nil {
		tasks.Go(func() { d.reportParts(background) })
	}
	if d.voice != nil {
		tasks.Go(func() { d.voice.run(background) })
	}
	tasks.Go(func() { d.watchdog.run(background) })
	d.log.Info("ready")
	d.watchdog.service.Ready()
	err := d.terminal.Run(ctx)
	d.watchdog.service.Stopping()
	stop()
	tasks.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrBroken) {
		return errors.Join(cause, err)
	}
	return err
}

// Last returns the sequence number of the last event in the outbox.
func (d *Daemon) Last() uint64 { return d.journal.Last() }

// Reported reports whether the outbox has what was shown of each outcome in it.
func (d *Daemon) Reported() bool { return len(d.store.Notes()) == 0 }

// Close closes what Open opened.
func (d *Daemon) Close() error { return d.closers.close() }

// closers are called in reverse order.
type closers []func() error

func (c *closers) add(closer func() error) { *c = append(*c, closer) }

// addListener adds a listener that its server may have closed already.
func (c *closers) addListener(l net.Listener) {
	c.add(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

func (c *closers) close() (err error) {
	for _, closer := range slices.Backward(*c) {
		err = errors.Join(err, closer())
	}
	*c = nil
	return err
}
