package push_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

var (
	wearDays   = flag.Int("wear.days", 8, "days of TestWear")
	wearVisits = flag.Int("wear.visits", 40, "visits a day of TestWear")
)

// TestWear runs a kiosk for many days, with a real terminal, outbox, journal, pusher and hub.
// Only the clock is not real: each day begins when the last visit of the day before is over.
// The hub is restarted every day. Every week the disk is full for a day, the clock jumps by
// years, kioskd is killed and the power is cut. Once each, the kiosk gets a new key and is
// restored from an image, and the hub is restored from a backup. At the end the feed has what
// each person saw, once and in order, and nothing has grown. The long run is
//
//	make wear
func TestWear(t *testing.T) {
	if *wearDays < 6 {
		t.Fatal("-wear.days must be 6 or more")
	}
	w := newWear(t)
	week := min(7, *wearDays/2)
	// An image of a day that ended without its last report would bring that report twice.
	imageDay := *wearDays * 3 / 4
	for (imageDay-1)%week < 2 {
		imageDay++
	}
	var settled, middle usage
	for day := 1; day <= *wearDays; day++ {
		plan := wearDay{
			killed: day%week == 0, powerCut: day%week == 1, clockJump: day%week == 2, fullDisk: day%week == 3,
			newKey: day == *wearDays/3, restoreHub: day == *wearDays*2/3, image: day == imageDay,
		}
		w.day(day, plan)
		if day == week {
			settled = w.usage()
		}
		if day == (*wearDays+week)/2 {
			middle = w.usage()
		}
	}
	w.day(*wearDays+1, wearDay{}) // reports what the last day left open
	w.checkFeed()
	end, events := w.usage(), len(w.seen)
	visits := len(w.order)
	w.forget()
	each := (end.heap - w.usage().heap) / int64(events)
	for _, u := range []*usage{&settled, &middle, &end} {
		u.heap -= each * u.events
	}
	t.Logf("%d days, %d visits: %d granted and shown, %d not shown, %d unknown; %d epochs", *wearDays, visits, w.let, w.notShown, w.unknown, len(w.epochs))
	t.Logf("written a day: %s by the kiosk for its visits, in write calls; %s by kiosk and hub to deliver them, as the kernel counts it",
		size(w.wroteVisits/int64(*wearDays+1)), size(w.wroteDelivery/int64(*wearDays+1)))
	t.Logf("after %d days: %s", week, settled)
	t.Logf("in the middle: %s", middle)
	t.Logf("at the end: %s; besides, the test remembers %d bytes for each of %d events", end, each, events)
	filled := *wearVisits*2*week > 1500 // so many events are kept
	if filled && end.state > 2*settled.state || end.goroutines > settled.goroutines+20 || end.heap > settled.heap+wearBuffers {
		t.Errorf("the kiosk or the hub has grown")
	}
	if each := w.wroteVisits / int64(visits); each > 100<<10 {
		t.Errorf("%d bytes are written for each visit", each)
	}
}

// wearBuffers is how much the memory of kiosk and hub may differ between two moments, in bytes.
// JetStream has a buffer of 8 MiB for each of its blocks that was used in the last seconds.
const wearBuffers = 24 << 20

// wearDay is what happens in a day.
type wearDay struct {
	fullDisk, clockJump, killed, powerCut, newKey, image, restoreHub bool
}

// wear is a world with one kiosk that a terminal runs.
type wear struct {
	*world
	t     *testing.T
	m     *machine
	clock wearClock
	card  wearCard
	last  kiosk.RecordShown // as kioskd notes it

	order []string // visits, in the order in which they began
	told  map[string]told

	seen   map[string]bool // ids of events
	index  map[string]int  // of visits in order
	latest int             // index of the last visit of the feed
	feeds  map[string]feedVisit
	epochs map[string]bool

	let, notShown, unknown     int
	wroteVisits, wroteDelivery int64
}

// told is what a person saw.
type told struct {
	screen kiosk.ScreenID
	door   bool
	crash  kiosk.Result // NotShown: never; Shown: kioskd was killed; ShownUnknown: the power was cut, before the report was written
}

// feedVisit is what the feed says about a visit.
type feedVisit struct {
	outcome kiosk.Outcome
	shown   []event.Shown
}

func newWear(t *testing.T) *wear {
	world, m := startWorld(t)
	holder := cards(t).Holders["valid"].Authentication
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	return &wear{
		world: world, t: t, m: m, card: wearCard{key: holder.Key, der: holder.Certificate.Raw},
		// The 90 days of the long run have the end of summer time.
		clock: wearClock{at: time.Date(2026, 9, 1, 6, 0, 0, 0, zone)},
		told:  map[string]told{}, seen: map[string]bool{}, index: map[string]int{}, latest: -1, feeds: map[string]feedVisit{}, epochs: map[string]bool{},
	}
}

// day records the day's visits, delivers them, and lets the consumer pull.
func (w *wear) day(day int, plan wearDay) {
	w.t.Helper()
	if plan.newKey {
		w.newKey()
		w.m.credentials, w.m.former = w.keys, w.former
		w.m.closed(func() {})
	}
	if plan.restoreHub {
		w.backUpHub(filepath.Join(w.scratch, "backup"))
	}
	if plan.image {
		w.m.copyTo(filepath.Join(w.scratch, "image.db"))
	}
	if plan.fullDisk {
		w.m.reopen(store.Options{Keep: 1000, Headroom: 1 << 60})
	}
	before := written(w.t)
	w.visits(day, plan)
	between := written(w.t)
	if plan.fullDisk {
		w.m.reopen(store.Options{Keep: 1000})
	}
	w.stopHub()
	w.startHub()
	w.m.journal.Clocks = w.clock.clocks(day)
	w.m.push()
	if plan.restoreHub {
		w.world.restoreHub(filepath.Join(w.scratch, "backup"))
	}
	if plan.image {
		w.m.restore(filepath.Join(w.scratch, "image.db"))
	}
	if plan.restoreHub || plan.image {
		w.m.journal.Clocks = w.clock.clocks(day)
		w.m.must(w.m.journal.Started("wear")) // reveals the difference
		w.m.push()
	}
	w.wroteVisits += between.calls - before.calls // there is no network in between
	w.wroteDelivery += written(w.t).disk - between.disk
	w.pull()
	w.clock.nextDay()
}

// reopen opens the outbox with other options.
func (m *machine) reopen(o store.Options) {
	m.Helper()
	m.must(m.outbox.Close())
	var err error
	m.outbox, err = store.Open(m.path, o)
	m.must(err)
	m.journal.Outbox = m.outbox
}

// visits runs a terminal for a day.
func (w *wear) visits(day int, plan wearDay) {
	w.t.Helper()
	w.m.journal.Clocks = w.clock.clocks(day)
	w.m.journal.Scarce = func() bool { return plan.fullDisk }
	w.m.must(w.m.journal.Settle(w.last), w.m.journal.Started("wear"))
	panel := &wearPanel{keys: make(chan rune), shown: make(chan kiosk.Screen, 100), opened: make(chan struct{}, 100)}
	slot, room := make(chan kiosk.Event), make(chan bool)
	out := &wearJournal{journal: w.m.journal}
	var log strings.Builder
	term := &terminal.Terminal{
		Slot: wearSlot{slot, &w.card}, Panel: panel, Hub: wearHub{}, Journal: out, Decider: wearDecider{}, Origin: "https://hub.example",
		Config: kiosk.Config{Languages: []string{"nb"}, Timing: kiosk.DefaultTiming}, Room: room, Now: w.clock.now,
		Told: func(r kiosk.RecordShown) { w.last = r },
		Log:  slog.New(slog.NewTextHandler(&log, nil)),
	}
	ctx, stop := context.WithCancel(w.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- term.Run(ctx) }()
	slot <- kiosk.CardGone{}
	panel.await(w.t, kiosk.ScreenWelcome)
	last := ""
	for n := range *wearVisits {
		if plan.fullDisk && n%10 == 0 {
			level, err := w.m.outbox.Level()
			w.m.must(err)
			if level == store.Full {
				room <- false
				panel.await(w.t, kiosk.ScreenOutOfService)
				slot <- kiosk.CardInserted{Visit: "refused"}
				slot <- kiosk.CardGone{}
				last = ""
				break
			}
		}
		if plan.clockJump {
			switch n {
			case *wearVisits / 4:
				w.clock.set(3 * 365 * 24 * time.Hour)
			case *wearVisits / 2:
				w.clock.set(-56 * 365 * 24 * time.Hour) // 1970
			case *wearVisits * 3 / 4:
				w.clock.set(0)
			}
		}
		last = w.visit(day, n, panel, slot)
		w.clock.pass(12 * time.Hour / time.Duration(*wearVisits))
	}
	if last != "" && (plan.killed || plan.powerCut) {
		out.dead.Store(true) // the report of the last visit is lost
		v := w.told[last]
		v.crash = kiosk.Shown
		w.told[last] = v
	}
	stop()
	if err := <-ended; err != nil {
		w.t.Fatalf("day %d: %v\n%s", day, err, log.String())
	}
	if v := w.told[last]; v.crash != "" && plan.powerCut {
		v.crash = kiosk.ShownUnknown
		w.told[last], w.last = v, kiosk.RecordShown{} // an unsynced file is lost too
	}
	w.clock.set(0)
}

// visit makes one visit and returns its id.
func (w *wear) visit(day, n int, panel *wearPanel, slot chan<- kiosk.Event) string {
	w.t.Helper()
	id := fmt.Sprintf("d%dv%d", day, n)
	w.index[id], w.order = len(w.order), append(w.order, id)
	saw := told{crash: kiosk.NotShown}
	switch {
	case n%13 == 12: // a card the wrong way round
		slot <- kiosk.CardSilent{Visit: id}
		saw.screen = panel.await(w.t, kiosk.ScreenFailed)
	case n%11 == 10: // taken out before the PIN
		slot <- kiosk.CardInserted{Visit: id}
		panel.await(w.t, kiosk.ScreenPIN)
	default:
		slot <- kiosk.CardInserted{Visit: id}
		panel.await(w.t, kiosk.ScreenPIN)
		for _, k := range "1234#" {
			panel.keys <- k
		}
		if n%7 == 6 { // taken out while the hub decides or the outcome is written
			panel.await(w.t, kiosk.ScreenChecking)
			break
		}
		saw.screen = panel.await(w.t, kiosk.ScreenGranted)
		<-panel.opened
		saw.door = true
	}
	slot <- kiosk.CardGone{}
	for { // what it shows on the way counts too
		s := <-panel.shown
		if s.ID == kiosk.ScreenWelcome {
			break
		}
		if s.ID == kiosk.ScreenGranted {
			saw.screen, saw.door = s.ID, true
			<-panel.opened
		}
	}
	saw.crash = ""
	w.told[id] = saw
	return id
}

// pull reads the feed on, as a consumer does.
func (w *wear) pull() {
	w.t.Helper()
	_, consumer, err := hub.Consumer(w.dir, "backend")
	w.m.must(err)
	client := hubapi.NewClient(w.url, consumer.TLS)
	for {
		texts, cursor, err := client.Feed(w.Context(), "backend", 1000, 0)
		w.m.must(err)
		if len(texts) == 0 {
			return
		}
		for _, text := range texts {
			w.take(text)
		}
		w.m.must(client.AckFeed(w.Context(), "backend", cursor))
	}
}

// take takes one event of the feed.
func (w *wear) take(text []byte) {
	w.t.Helper()
	var e struct {
		ID, Type, Epoch string
		Data            json.RawMessage
	}
	w.m.must(json.Unmarshal(text, &e))
	if w.seen[e.ID] {
		w.t.Errorf("event %s comes twice", e.ID)
	}
	w.seen[e.ID] = true
	if e.Epoch != "" {
		w.epochs[e.Epoch] = true
	}
	switch e.Type {
	case event.TypeVisit:
		var v event.Visit
		w.m.must(json.Unmarshal(e.Data, &v))
		if _, again := w.feeds[v.Visit]; again || w.index[v.Visit] <= w.latest {
			w.t.Errorf("visit %s is in the feed twice, or after %s", v.Visit, w.order[max(0, w.latest)])
		}
		w.latest = w.index[v.Visit]
		w.feeds[v.Visit] = feedVisit{outcome: v.Outcome}
	case event.TypeShown:
		var s event.Shown
		w.m.must(json.Unmarshal(e.Data, &s))
		v, there := w.feeds[s.Visit]
		if !there {
			w.t.Errorf("what was shown of visit %s comes before its outcome", s.Visit)
		}
		v.shown = append(v.shown, s)
		w.feeds[s.Visit] = v
	}
}

// checkFeed compares the feed with what people saw, by the rule for roll-calls in
// kiosk/hub/CONSUMERS.md.
func (w *wear) checkFeed() {
	w.t.Helper()
	if len(w.feeds) != len(w.order) {
		w.t.Errorf("the feed has %d of %d visits", len(w.feeds), len(w.order))
	}
	for _, id := range w.order {
		v, saw := w.feeds[id], w.told[id]
		if len(v.shown) != 1 {
			w.t.Errorf("visit %s has %d reports of what was shown", id, len(v.shown))
			continue
		}
		said := v.shown[0]
		switch {
		case said.Result == kiosk.ShownUnknown:
			w.unknown++
			if saw.crash != kiosk.ShownUnknown {
				w.t.Errorf("visit %s is unknown, and saw %+v", id, saw)
			}
		case said.Screen != saw.screen || said.Door != saw.door || (said.Result == kiosk.Shown) != (saw.screen != ""):
			w.t.Errorf("visit %s is reported as %+v, and saw %+v", id, said, saw)
		case v.outcome == kiosk.Granted && said.Result == kiosk.Shown && said.Door:
			w.let++
		case said.Result == kiosk.NotShown:
			w.notShown++
		}
	}
}

// forget drops what the test compares at the end, which needs more memory than kiosk and hub.
func (w *wear) forget() {
	w.order, w.told, w.seen, w.index, w.feeds, w.m.born = nil, nil, nil, nil, nil, nil
}

// usage is what kiosk and hub use.
type usage struct {
	state, hub, heap int64 // bytes
	goroutines       int
	events           int64 // that the test remembers
}

func (u usage) String() string {
	return fmt.Sprintf("%s of kiosk's files, %s of hub's files, %s of memory, %d goroutines", size(u.state), size(u.hub), size(u.heap), u.goroutines)
}

func (w *wear) usage() usage {
	w.t.Helper()
	runtime.GC()
	runtime.GC() // for what was in a sync.Pool
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return usage{folderSize(w.t, filepath.Dir(w.m.path)), folderSize(w.t, w.dir), int64(s.HeapAlloc), runtime.NumGoroutine(), int64(len(w.seen))}
}

func folderSize(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// bytesWritten counts what this process has written (proc(5), io).
type bytesWritten struct {
	calls int64 // in write calls, also to the network
	disk  int64 // to disks; the kernel counts whole pages of its cache, which may be as large as 1 MB
}

func written(t *testing.T) (b bytesWritten) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "wchar: %d", &b.calls) // fails for all other lines
		_, _ = fmt.Sscanf(line, "write_bytes: %d", &b.disk)
	}
	if b.calls == 0 {
		t.Fatalf("/proc/self/io has no wchar: %s", text)
	}
	return b
}
