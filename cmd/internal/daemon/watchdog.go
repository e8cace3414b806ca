package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/cmd/internal/service"
	"smartkiosk/device/board"
)

// The watchdog conditions: the machine restarts unless visits are served and the outbox
// answers. The outbox answers only after its current write.
const (
	visitsGoOn = "visits"
	outboxOpen = "outbox"
)

// ServiceParts lists the parts of a kiosk that feed the service manager's watchdog.
func ServiceParts() []string { return []string{visitsGoOn, outboxOpen} }

// watchdogAgain is the interval before a watchdog that could not be opened, or failed,
// is opened again. It is shorter than the shortest timeout that a board may set,
// because a watchdog that failed may still be running and would restart the machine
// after its timeout.
const watchdogAgain = 5 * time.Second

// watchdog restarts the machine when the kiosk hangs. If the device cannot be opened,
// the watchdog retries: its driver may be loaded late, or another program may release
// it. The zero value does nothing.
type watchdog struct {
	log     *slog.Logger
	section string
	open    func() (dog, error)
	failed  chan struct{}    // capacity 1: the open device has failed
	service *service.Manager // has a watchdog too, for this process alone

	mu  sync.Mutex
	dog dog // nil while the device is not open
}

// dog is the part of cue.Watchdog that is used here.
type dog interface {
	Alive(part string) error
	Close() error
}

// OpenWatchdog makes Run restart the machine when visits or the outbox hang, until Run
// ends. It must be called before Run. The kiosk also works while the watchdog cannot be
// opened. Each failure and the opening are logged.
func (d *Daemon) OpenWatchdog(section *board.Watchdog) {
	d.watch(section.Section(), func() (dog, error) {
		dog, err := section.Open(visitsGoOn, outboxOpen)
		if err != nil {
			return nil, err // a nil *cue.Watchdog in the interface would not be nil
		}
		d.log.Info("this machine is restarted when it hangs", "part", section.Section(), "timeout", dog.Timeout, "restarted", dog.Restarted)
		if !dog.Disarms {
			d.log.Warn("a kioskd that is stopped must be started again at once, or the machine restarts: its watchdog cannot be stopped", "timeout", dog.Timeout)
		}
		return dog, nil
	})
}

// watch makes Run open a watchdog.
func (d *Daemon) watch(section string, open func() (dog, error)) {
	w := &d.watchdog
	w.log, w.section, w.open, w.failed = d.log, section, open, make(chan struct{}, 1)
}

// feedFromVisits makes the terminal report its progress to the watchdogs.
func (d *Daemon) feedFromVisits() { d.terminal.Alive = func() { d.watchdog.alive(visitsGoOn) } }

// run keeps the watchdog open until ctx ends. Then it closes it, because shutting down
// may take longer than the timeout. Each reason why the device cannot be opened is
// logged once.
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

// alive reports to the watchdog and to the service manager that a part has made progress. If the device fails,
// alive closes it, which also stops it where that is possible, and run opens it again.
func (w *watchdog) alive(part string) {
	w.service.Alive(part)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dog == nil {
		return
	}
	if err := w.dog.Alive(part); err != nil {
		w.log.Error("the machine may restart", "part", w.section, "err", err)
		_ = w.dog.Close() // the failure is logged already
		w.dog = nil
		w.failed <- struct{}{}
	}
}

// close stops the watchdog, so that the program can end without a restart.
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
