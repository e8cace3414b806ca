package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/clock"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// tended is a kiosk's outbox with the parts of the Daemon that use it.
type tended struct {
	*Daemon
	t      *testing.T
	opener *event.Opener
	device *ecdsa.PrivateKey
}

func newTended(t *testing.T, state string, o store.Options) *tended {
	t.Helper()
	var keys []*ecdsa.PrivateKey
	for range 2 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	device, hub := keys[0], keys[1]
	sealer, err := event.NewSealer("k1", device, &jose.JSONWebKey{Key: &hub.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	records, err := openRecords(filepath.Join(state, "records.db"), time.Now(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	start := time.Now()
	clocks := journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return time.Since(start) }, Trusted: func() bool { return true },
	}
	now, err := clock.Open(clocks.Now, clocks.Uptime, records, clock.Validity{})
	if err != nil {
		t.Fatal(err)
	}
	j := &journal.Journal{Sealer: sealer, Clocks: clocks}
	d := &Daemon{
		records: records, journal: j, log: log, visits: newVisits(), room: make(chan bool),
		offline: &offlineMode{clock: now},
	}
	made := &tended{Daemon: d, t: t, opener: event.NewOpener(jose.JSONWebKey{Key: hub}), device: device}
	opening := outboxOpening{path: filepath.Join(state, "outbox.db"), options: o, journal: j, log: log}
	if d.store, err = opening.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	j.Scarce = d.scarce.Load
	return made
}

// run tends the outbox until the test ends.
func (d *tended) run() {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.tend(ctx, func(error) {}) }()
	d.t.Cleanup(func() { cancel(); <-done })
}

// awaitRoom waits for an outbox event with a sequence number above after, and returns
// it.
func (d *tended) awaitRoom(after uint64) (sequence uint64, said event.Outbox) {
	d.t.Helper()
	for {
		changed := d.store.Changed()
		records, err := d.store.Records(after, 1)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(records) == 0 {
			<-changed
			continue
		}
		after = records[0].Sequence
		e, err := d.opener.Open(records[0].Data, d.device.Public())
		if err != nil || e.Type != event.TypeOutbox {
			continue
		}
		if err := json.Unmarshal(e.Payload, &said); err != nil {
			d.t.Fatal(err)
		}
		return after, said
	}
}

// fill appends n records of the given size that are not events.
func (d *tended) fill(n, size int) {
	d.t.Helper()
	for range n {
		_, err := d.store.Append(func(uint64, []byte) (record, link []byte, err error) {
			return make([]byte, size), make([]byte, store.LinkSize), nil
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// TestSoftLimit checks that, when the outbox is nearly full, the hub is informed and
// informational events are left out until there is room again. Then the hub must learn
// how many were left out.
func TestSoftLimit(t *testing.T) {
	d := newTended(t, t.TempDir(), store.Options{MaxSize: store.MinMaxSize})
	for level := store.Roomy; level != store.Low; {
		d.fill(1, 100_000)
		var err error
		if level, err = d.store.Level(); err != nil {
			t.Fatal(err)
		}
	}
	d.run()
	at, said := d.awaitRoom(d.store.Sequence())
	if said.Level != "low" || said.Pending != at-1 {
		t.Errorf("the hub is told %+v", said)
	}
	if err := errors.Join(d.journal.Started("1"), d.journal.Write(t.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted})); err != nil {
		t.Fatal(err)
	}
	if d.store.Sequence() != at+1 {
		t.Errorf("%d events were written, of which one informs", d.store.Sequence()-at)
	}
	if err := d.store.Ack(at + 1); err != nil {
		t.Fatal(err)
	}
	d.fill(1, 10)
	if _, said = d.awaitRoom(at + 2); said.Level != "roomy" || said.Thinned != 1 {
		t.Errorf("the hub is told %+v", said)
	}
	if err := d.journal.Started("1"); err != nil || d.journal.Last() != d.store.Sequence() {
		t.Errorf("with room again, what informs is not written: %v", err)
	}
}

// TestCompactsBetweenVisits checks that the outbox is compacted, but never during a
// visit.
func TestCompactsBetweenVisits(t *testing.T) {
	d := newTended(t, t.TempDir(), store.Options{})
	d.fill(100, store.MaxRecordSize)
	if err := d.store.Ack(100); err != nil {
		t.Fatal(err)
	}
	d.fill(1, 10)
	d.visits.set(true)
	if d.compact(); !d.store.Sparse() {
		t.Error("compacted during a visit")
	}
	d.visits.set(false)
	idle, ok := d.visits.idle()
	if !ok || idle.Err() != nil {
		t.Error("a visit goes on after it")
	}
	fed := 0
	d.watchdog.set(dogFunc(func(string) error { fed++; return nil }))
	if d.compact(); d.store.Sparse() || fed == 0 {
		t.Errorf("not compacted between visits, or the watchdog was not fed (%d)", fed)
	}
	if d.visits.set(true); idle.Err() == nil {
		t.Error("a visit that begins does not end a compaction")
	}
}

// TestIdleWritesNothing checks that an idle kiosk touches no file for a whole day,
// while the hub is unreachable.
func TestIdleWritesNothing(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := newTended(t, state, store.Options{})
		if err := d.journal.Started("1"); err != nil {
			t.Fatal(err)
		}
		d.run()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tries := 0
		p := push.Pusher{Queue: d.store, Log: d.log, Send: func(ctx context.Context, batch []json.RawMessage, _ <-chan struct{}) (hubapi.Acknowledgement, error) {
			tries++
			return hubapi.Acknowledgement{}, errors.New("away")
		}}
		go func() { _ = p.Run(ctx) }()
		go d.watchClock(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		before := files(t, state)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for name, after := range files(t, state) {
			if was := before[name]; was != after {
				t.Errorf("%s was changed at %v, %v before: %d bytes, %d before", name, after.at, was.at, after.size, was.size)
			}
		}
		if len(before) < 4 || tries < 1000 {
			t.Errorf("%d files, and %d tries to push", len(before), tries)
		}
	})
}

type fileState struct {
	size int64
	at   time.Time
}

func files(t *testing.T, folder string) map[string]fileState {
	t.Helper()
	found := map[string]fileState{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			found[path] = fileState{info.Size(), info.ModTime()}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
