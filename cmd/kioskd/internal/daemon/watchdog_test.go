package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

// fedDog notes who said to be alive.
type fedDog struct {
	fed    []string
	closed int
	err    error
}

func (d *fedDog) Alive(part string) error { d.fed = append(d.fed, part); return d.err }
func (d *fedDog) Close() error            { d.closed++; return d.err }

// The dog hears of the terminal's loop and of each piece of a long work on the
// outbox, and after it was closed of nothing.
func TestWatchdog(t *testing.T) {
	var log bytes.Buffer
	d := &Daemon{terminal: &terminal.Terminal{}, log: slog.New(slog.NewTextHandler(&log, nil))}
	(&d.watchdog).alive(outboxOpen) // nobody there
	dog := &fedDog{}
	d.feed(dog)
	d.terminal.Alive()
	ctx, stop := context.WithCancel(t.Context())
	work := working{ctx, &d.watchdog}
	if err := work.Err(); err != nil {
		t.Error(err)
	}
	stop()
	if err := work.Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if want := []string{visitsGoOn, outboxOpen, outboxOpen}; !slices.Equal(dog.fed, want) {
		t.Errorf("fed by %q, want %q", dog.fed, want)
	}
	dog.err = errors.New("no such device")
	d.terminal.Alive()
	d.watchdog.close()
	d.watchdog.close()
	d.terminal.Alive()
	if len(dog.fed) != 4 || dog.closed != 1 {
		t.Errorf("fed %d times, closed %d times", len(dog.fed), dog.closed)
	}
	if n := strings.Count(log.String(), `level=ERROR msg="the machine may restart" err="no such device"`); n != 2 {
		t.Errorf("logged %s", &log)
	}
}

// A kiosk without the watchdog that it should have works, and says so.
func TestNoWatchdog(t *testing.T) {
	var log bytes.Buffer
	d := &Daemon{terminal: &terminal.Terminal{}, log: slog.New(slog.NewTextHandler(&log, nil))}
	d.OpenWatchdog(&board.Watchdog{Device: t.TempDir() + "/watchdog", Timeout: board.Duration{Duration: 15 * time.Second}})
	if d.terminal.Alive != nil || !strings.Contains(log.String(), `nothing restarts this machine when it hangs" part=watchdog err="cannot open watchdog: `) {
		t.Errorf("logged %s", &log)
	}
}

// Looking after the outbox feeds the dog.
func TestOutboxFeedsWatchdog(t *testing.T) {
	dir := t.TempDir()
	records, err := openRecords(filepath.Join(dir, "records.db"), time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	outbox, err := store.Open(filepath.Join(dir, "outbox.db"), store.Options{MaxSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{terminal: &terminal.Terminal{}, log: slog.New(slog.DiscardHandler), store: &markedOutbox{Store: outbox, records: records}, visits: newVisits(nil)}
	fed := make(chan string)
	d.feed(dogFunc(func(part string) error { fed <- part; return nil }))
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan struct{})
	go func() { d.tend(ctx, stop); close(done) }()
	if part := <-fed; part != outboxOpen {
		t.Errorf("fed by %q", part)
	}
	stop(nil)
	<-done
	if err := outbox.Close(); err != nil {
		t.Error(err)
	}
}

type dogFunc func(part string) error

func (f dogFunc) Alive(part string) error { return f(part) }
func (f dogFunc) Close() error            { return nil }
