package daemon

import (
	"context"
	"log/slog"
	"sync"

	"smartkiosk/device/board"
)

// What must go on for the machine not to be restarted: visits are served, and
// the outbox answers, which it does after whatever is being written to it.
const (
	visitsGoOn = "visits"
	outboxOpen = "outbox"
)

// watchdog restarts the machine when the kiosk hangs. Its zero value does
// nothing.
type watchdog struct {
	log *slog.Logger

	mu  sync.Mutex
	dog dog
}

// dog is a cue.Watchdog.
type dog interface {
	Alive(part string) error
	Close() error
}

// OpenWatchdog, before Run, has the machine restarted when visits or outbox
// hang, until Run ends. A kiosk whose watchdog is not to be had works without: that is logged.
func (d *Daemon) OpenWatchdog(section *board.Watchdog) {
	dog, err := section.Open(visitsGoOn, outboxOpen)
	if err != nil {
		d.log.Error("nothing restarts this machine when it hangs", "part", section.Section(), "err", err)
		return
	}
	d.log.Info("watchdog", "timeout", dog.Timeout, "restarted", dog.Restarted)
	if !dog.Disarms {
		d.log.Warn("a kioskd that is stopped must be started again at once, or the machine restarts: its watchdog cannot be stopped", "within", dog.Timeout)
	}
	d.feed(dog)
}

// feed has a watchdog hear of the visits and the outbox.
func (d *Daemon) feed(dog dog) {
	d.watchdog.log, d.watchdog.dog = d.log, dog
	d.terminal.Alive = func() { d.watchdog.alive(visitsGoOn) }
}

// alive says that a part did something real.
func (w *watchdog) alive(part string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dog == nil {
		return
	}
	if err := w.dog.Alive(part); err != nil {
		w.log.Error("the machine may restart", "err", err)
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
		w.log.Error("the machine may restart", "err", err)
	}
	w.dog = nil
}

// working is a context whose every look tells the watchdog of progress: a long
// work that looks whether it is to go on, once for each piece.
type working struct {
	context.Context
	watchdog *watchdog
}

func (w working) Err() error {
	w.watchdog.alive(outboxOpen)
	return w.Context.Err()
}
