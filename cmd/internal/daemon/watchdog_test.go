package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

// fedDog records which parts reported progress.
type fedDog struct {
	fed    []string
	closed int
	err    error
}

func (d *fedDog) Alive(part string) error { d.fed = append(d.fed, part); return d.err }
func (d *fedDog) Close() error            { d.closed++; return d.err }

// watching returns a Daemon with an open watchdog. stop closes it.
func watching(t *testing.T, log *bytes.Buffer, open func() (dog, error)) (d *Daemon, stop func()) {
	d = &Daemon{terminal: &terminal.Terminal{}, log: slog.New(slog.NewTextHandler(log, nil))}
	d.watch("watchdog", open)
	d.feedFromVisits()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.watchdog.run(ctx); close(ended) }()
	synctest.Wait()
	return d, func() { cancel(); <-ended }
}

// TestWatchdog checks that the terminal's loop feeds the watchdog, and that nothing
// does after Run.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		dog1 := &fedDog{}
		d, stop := watching(t, &log, func() (dog, error) { return dog1, nil })
		d.terminal.Alive()
		if want := []string{visitsGoOn}; !slices.Equal(dog1.fed, want) {
			t.Errorf("fed by %q, want %q", dog1.fed, want)
		}
		dog1.err = errors.New("no such device")
		stop()
		d.terminal.Alive()
		if len(dog1.fed) != 1 || dog1.closed != 1 {
			t.Errorf("fed %d times, closed %d times", len(dog1.fed), dog1.closed)
		}
		if !strings.Contains(log.String(), `level=ERROR msg="the machine may restart" part=watchdog err="no such device"`) {
			t.Errorf("logged %s", &log)
		}
	})
}

// kennel opens fake watchdogs, or returns an error instead.
type kennel struct {
	mu    sync.Mutex
	tried int
	why   error
	had   *fedDog // the device that was opened last
}

func (k *kennel) open() (dog, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tried++; k.why != nil {
		return nil, k.why
	}
	k.had = &fedDog{}
	return k.had, nil
}

// after makes opening fail with why for this many retries.
func (k *kennel) after(rounds int, why error) {
	k.mu.Lock()
	k.why = why
	k.mu.Unlock()
	time.Sleep(time.Duration(rounds) * watchdogAgain)
	synctest.Wait()
}

// TestWatchdogHeals checks a watchdog that is first busy, then missing, then open, then
// fails, and is opened again. Each change must be logged once, however often opening
// was retried.
func TestWatchdogHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		busy := errors.New("another program has it")
		k := &kennel{why: busy}
		d, stop := watching(t, &log, k.open)
		d.terminal.Alive() // no device is open
		k.after(3, busy)
		k.after(3, errors.New("no such file"))
		k.after(3, nil)
		if k.tried != 8 || k.had == nil || len(k.had.fed) != 0 {
			t.Fatalf("tried %d times, has %+v", k.tried, k.had)
		}
		first := k.had
		first.err = errors.New("no such device")
		d.terminal.Alive()
		d.terminal.Alive() // no device is open
		if len(first.fed) != 1 || first.closed != 1 {
			t.Errorf("the one that failed: %+v", first)
		}
		k.after(1, nil)
		d.terminal.Alive()
		if k.had == first || !slices.Equal(k.had.fed, []string{visitsGoOn}) {
			t.Errorf("no other was opened: %+v", k.had)
		}
		stop()
		if k.had.closed != 1 {
			t.Error("not closed in the end")
		}
		for line, want := range map[string]int{
			`nothing restarts this machine when it hangs; its watchdog is tried again until it opens" part=watchdog err="another program has it"`: 1,
			`part=watchdog err="no such file"`: 1, `msg="the machine may restart" part=watchdog err="no such device"`: 1,
		} {
			if n := strings.Count(log.String(), line); n != want {
				t.Errorf("%d times %q in\n%s", n, line, &log)
			}
		}
	})
}

// TestNoWatchdog checks that a kiosk without a watchdog in its wiring file opens none,
// logs nothing about it, and may report progress.
func TestNoWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := watchdog{log: slog.New(slog.NewTextHandler(&log, nil))}
		ended := make(chan struct{})
		go func() { w.run(t.Context()); close(ended) }()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("run waits for a watchdog that is not configured")
		}
		w.alive(outboxOpen)
		w.close()
		if w.dog != nil || log.Len() > 0 {
			t.Errorf("there is a watchdog: %v, logged %q", w.dog, &log)
		}
	})
}

// TestOpenWatchdog checks that the device named in the board's section is opened.
func TestOpenWatchdog(t *testing.T) {
	d := &Daemon{terminal: &terminal.Terminal{}}
	d.OpenWatchdog(&board.Watchdog{Device: t.TempDir() + "/watchdog", Timeout: board.Duration{Duration: 15 * time.Second}})
	dog, err := d.watchdog.open()
	if dog != nil || !errors.Is(err, os.ErrNotExist) || d.watchdog.section != "watchdog" {
		t.Errorf("%s: %v, %v", d.watchdog.section, dog, err)
	}
}

// TestOutboxFeedsWatchdog checks that tending the outbox feeds the watchdog.
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
	d := &Daemon{terminal: &terminal.Terminal{}, log: slog.New(slog.DiscardHandler), store: outbox, visits: newVisits()}
	fed := make(chan string)
	d.watchdog.set(dogFunc(func(part string) error { fed <- part; return nil }))
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
