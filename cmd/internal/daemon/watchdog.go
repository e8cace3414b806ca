package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/device/board"
)

// What must go on for the machine not to be restarted: visits are served, and
// the outbox answers, which it does after whatever is being written to it.
const (
	visitsGoOn = "visits"
	outboxOpen = "outbox"
)

// watchdogAgain is how long to wait before a watchdog that was not to be had,
// or failed, is opened again: sooner than the shortest time-out that a board may
// ask for, after which one that failed but runs on would strike.
const watchdogAgain = 5 * time.Second

// watchdog restarts the machine when the kiosk hangs. One that is not to be had
// is looked for: its driver may be loaded late, or another program let go of it.
// Its zero value does nothing.
type watchdog struct {
	log     *slog.Logger
	section string
	open    func() (dog, error)
	failed  chan struct{} // holds one: the dog that was had is no more

	mu  sync.Mutex
	dog dog // nil while none is had
}

// dog is a cue.Watchdog.
type dog interface {
	Alive(part string) error
	Close() error
}

// OpenWatchdog, before Run, has the machine restarted when visits or outbox
// hang, until Run ends. A kiosk works without while its watchdog is not to be
// had: that is logged, and so is that it is.
func (d *Daemon) OpenWatchdog(section *board.Watchdog) {
	d.watch(section.Section(), func() (dog, error) {
		dog, err := section.Open(visitsGoOn, outboxOpen)
		if err != nil {
			return nil, err // not a *cue.Watchdog that is nil
		}
		d.log.Info("this machine is restarted when it hangs", "part", section.Section(), "timeout", dog.Timeout, "restarted", dog.Restarted)
		if !dog.Disarms {
			d.log.Warn("a kioskd that is stopped must be started again at once, or the machine restarts: its watchdog cannot be stopped", "timeout", dog.Timeout)
		}
		return dog, nil
	})
}

// watch has a watchdog opened by Run, and hear of the visits and the outbox.
func (d *Daemon) watch(section string, open func() (dog, error)) {
	w := &d.watchdog
	w.log, w.section, w.open, w.failed = d.log, section, open, make(chan struct{}, 1)
	d.terminal.Alive = func() { w.alive(visitsGoOn) }
}

// run has the watchdog open until ctx ends, when the program may end without a
// restart: ending may take longer than it waits. Why it is not to be had is
// logged once for each reason.
func (w *watchdog) run(ctx context.Context) {
	if w.open == nil {
		return
	}
	defer w.close()
	why := ""
	for {
		dog, err := w.open()
		if err == nil {
			why = ""
			w.set(dog)
			select {
			case <-w.failed:
			case <-ctx.Done():
				return
			}
		} else if err.Error() != why {
			why = err.Error()
			w.log.Error("nothing restarts this machine when it hangs; its watchdog is tried again until it opens", "part", w.section, "err", err, "retry_in", watchdogAgain)
		}
		select {
		case <-time.After(watchdogAgain):
		case <-ctx.Done():
			return
		}
	}
}

func (w *watchdog) set(dog dog) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dog = dog
}

// alive says that a part did something real. A dog that cannot be told is let
// go of, which also stops it if that can be done, and opened anew.
func (w *watchdog) alive(part string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dog == nil {
		return
	}
	if err := w.dog.Alive(part); err != nil {
		w.log.Error("the machine may restart", "part", w.section, "err", err)
		_ = w.dog.Close() // it has failed already
		w.dog = nil
		w.failed <- struct{}{}
	}
}

// close lets the program end without a restart.
func (w *watchdog) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dog == nil {
		return
	}
	if err := w.dog.Close(); err != nil {
		w.log.Error("the machine may restart", "part", w.section, "err", err)
	}
	w.dog = nil
}
