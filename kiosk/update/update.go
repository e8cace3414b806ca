// Package update installs new versions of the kiosk's whole system. The hub offers one in the
// signed policy. The Agent fetches the bundle in the background, has RAUC install it into
// the slot that is not in use, restarts the machine between visits, and keeps the new system
// only if the kiosk works with it. Otherwise the machine goes back to the old one.
//
//	        ┌─▶ refused                        ┌─▶ good
//	fetching ─▶ fetched ─▶ installing ─▶ installed
//	                ▲           │              ├─▶ undoing ─▶ fell back
//	                └───────────┘              └─▶ fell back, by the boot loader
//
// The step is stored before each action, so that a power cut at any time is followed by the
// same action, or by the next one if RAUC or the boot loader has gone further.
//
// The package does not know RAUC; see Installer and the package device/rauc.
package update

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"smartkiosk/device/atomicfile"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Installer is RAUC.
type Installer interface {
	// Present reports whether this machine has RAUC. A kiosk that was installed as Debian
	// packages has none.
	Present(ctx context.Context) (bool, error)
	// Status returns the kind of this machine, the slot that it runs from, and the version
	// that RAUC has installed there, or "" if RAUC did not install it.
	Status(ctx context.Context) (compatible, slot, version string, err error)
	// Inspect checks a bundle's signature and returns what the bundle says about itself. If
	// RAUC does not accept the bundle, refusal says why.
	Inspect(ctx context.Context, path string) (compatible, version, refusal string, err error)
	// Install writes a bundle into the slot that is not in use, from which the machine then
	// starts. If RAUC cannot install it, refusal says why.
	Install(ctx context.Context, path string) (refusal string, err error)
	// MarkGood makes the machine start from the running slot from now on.
	MarkGood(ctx context.Context) error
	// FallBack makes the machine start from the other slot.
	FallBack(ctx context.Context) error
}

// Hub is the part of hubapi.Client that an Agent calls.
type Hub interface {
	// UpdateBundle returns the bytes of a bundle from one place to another, both inclusive.
	UpdateBundle(ctx context.Context, digest string, from, to int64) (io.ReadCloser, error)
}

// Memory keeps the state of an update. Both the new system and the old one read it, so it is
// not in a database whose format may change.
type Memory interface {
	// Load returns what was saved last, or nil.
	Load() ([]byte, error)
	// Save returns when the text is on disk. After an error, or a power cut, the old one is
	// still there.
	Save(text []byte) error
}

// File is the Memory in a file.
type File string

// Load implements Memory.
func (f File) Load() ([]byte, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Save implements Memory.
func (f File) Save(text []byte) error { return atomicfile.Replace(string(f), text, 0o600) }

// Agent updates one kiosk. Run owns everything that it stores.
type Agent struct {
	Dir       string // of the bundle; the Agent deletes everything else in it
	Memory    Memory
	Hub       Hub
	Installer Installer
	Version   string                          // of the running system, if the Installer does not know it
	BootID    string                          // differs after each start of the machine
	Uptime    func() time.Duration            // since that start
	Idle      func() (context.Context, bool)  // a context until the next visit, and false during a visit
	Healthy   func(ctx context.Context) error // why the kiosk does not work, or nil
	Position  func() uint64                   // of the last event in the outbox
	Room      func() (bytes int64, err error) // on the disk of Dir that a bundle may take
	Tell      func(event.Update) error        // writes an event
	Restart   func(ctx context.Context) error // restarts the machine
	Show      func(mark string)               // shows a mark on the panel, "" for none
	Now       func() time.Time                // for the hours in which updates are installed
	Log       *slog.Logger

	state   state
	present bool   // the Installer is there
	version string // of the running system, once known
	marked  bool   // the running system is good, for this start of the machine
	resumed bool   // the file with the part of the bundle was written by this process

	mu      sync.Mutex // guards the fields below
	offer   *hubpolicy.Update
	status  Status
	changed chan struct{}
}

const (
	every     = time.Minute      // between two looks at what to do
	busyPause = 5 * time.Second  // during a visit
	trialLook = 10 * time.Second // between two looks at the health of a new system
	minRetry  = time.Minute      // after a failure
	maxRetry  = time.Hour

	// trialTime is how long after the start of the machine a new system may need until all
	// parts of the kiosk work.
	trialTime = 30 * time.Minute

	maxTries = 3 // of an installation that was interrupted
)

// Offer gives the agent what the newest policy offers; nil for nothing. It may be called from
// any goroutine.
func (a *Agent) Offer(u *hubpolicy.Update) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offer = u
	select {
	case a.wake() <- struct{}{}:
	default:
	}
}

// wake returns the channel that tells Run of a new offer. The caller holds mu.
func (a *Agent) wake() chan struct{} {
	if a.changed == nil {
		a.changed = make(chan struct{}, 1)
	}
	return a.changed
}

func (a *Agent) offered() *hubpolicy.Update {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.offer
}

// Run updates the kiosk until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	a.mu.Lock()
	changed := a.wake()
	a.mu.Unlock()
	retry, failing := minRetry, ""
	a.load()
	for ctx.Err() == nil {
		wait, err := a.step(ctx)
		if err != nil && ctx.Err() == nil {
			if failing != err.Error() {
				failing = err.Error()
				if a.present {
					a.Log.Warn("cannot go on with the update", "state", a.state.Step, "version", a.state.Update.Version, "err", err)
				} else {
					a.Log.Warn("cannot find out whether RAUC can update this machine", "err", err)
				}
			}
			wait, retry = retry+rand.N(retry/4), min(2*retry, maxRetry)
		} else {
			retry, failing = minRetry, ""
		}
		a.publish(failing)
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// find finds out whether there is an Installer, and which version runs.
func (a *Agent) find(ctx context.Context) error {
	present, err := a.Installer.Present(ctx)
	if err != nil || !present {
		return err
	}
	_, _, version, err := a.Installer.Status(ctx)
	if err != nil {
		return err
	}
	a.present, a.version = true, cmp.Or(version, a.Version)
	return nil
}

// step does what is to be done next. It returns how long to wait before the next step.
func (a *Agent) step(ctx context.Context) (time.Duration, error) {
	if !a.present {
		if err := a.find(ctx); err != nil || !a.present {
			return maxRetry, err
		}
	}
	if a.state.Result != "" && !a.state.Told {
		if err := a.tell(); err != nil {
			return 0, err
		}
	}
	switch a.state.Step {
	case installing, installed, undoing:
		return a.settle(ctx)
	}
	if !a.marked {
		// The boot loader counts the starts. This system is not on trial, so it is good even if
		// a part of the kiosk does not work now.
		if err := a.Installer.MarkGood(ctx); err != nil {
			return 0, err
		}
		a.marked = true
	}
	offer := a.offered()
	if offer == nil {
		return every, a.abandon()
	}
	if a.state.Update.Digest != offer.Digest || a.state.again(a.Now()) {
		if err := a.begin(ctx, *offer); err != nil {
			return 0, err
		}
	}
	a.state.Update = *offer // its hours may have changed
	switch a.state.Step {
	case fetching:
		return a.fetch(ctx)
	case fetched:
		return a.install(ctx)
	}
	return every, a.clean("") // the power may have been cut before
}

// abandon ends an update that is not offered any more and not installed yet.
func (a *Agent) abandon() error {
	if a.state.Step == fetching || a.state.Step == fetched {
		a.Log.Info("update is not offered any more", "version", a.state.Update.Version)
		return a.save(state{})
	}
	return a.clean("")
}

// clean deletes all files but one.
func (a *Agent) clean(keep string) error {
	entries, err := os.ReadDir(a.Dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(a.Dir, e.Name()); path != keep {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
