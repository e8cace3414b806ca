package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// File is a rules file that is read anew when it changes. Many may use it at
// once.
type File struct {
	path    string
	domains []string // that rules may name; nil for any
	current atomic.Pointer[Rules]
	stale   atomic.Bool

	mu  sync.Mutex
	why string // the error of the last Reload, "" if there was none
}

// Open reads a rules file. domains are the trust domains that there are, so
// that a rule about another one, which would never speak, is refused; with nil
// any will do.
func Open(path string, domains []string) (*File, error) {
	f := &File{path: path, domains: domains}
	r, err := f.read()
	if err != nil {
		return nil, err
	}
	f.current.Store(r)
	return f, nil
}

func (f *File) read() (*Rules, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read rules: %s is missing", f.path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read rules: %w", err)
	}
	r, err := Parse(text, filepath.Dir(f.path))
	if err == nil && f.domains != nil {
		err = r.checkDomains(f.domains)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read rules %s: %w", f.path, err)
	}
	return r, nil
}

// Rules gives the rules in force: those of the last file that could be used.
func (f *File) Rules() *Rules { return f.current.Load() }

// Stale tells whether the file as it is now cannot be used, so that Rules
// gives those of before.
func (f *File) Stale() bool { return f.stale.Load() }

// Reload reads the file and puts its rules in force. What cannot be used
// leaves the rules as they are. What changed is logged once.
func (f *File) Reload(log *slog.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current.Load()
	r, err := f.read()
	if err != nil {
		if f.stale.Store(true); err.Error() != f.why {
			log.Error("rules not changed, those of before stay in force", "in_force", before.Version, "err", err)
			f.why = err.Error()
		}
		return
	}
	f.current.Store(r)
	f.stale.Store(false)
	if f.why != "" || r.Version != before.Version {
		log.Info("rules in force", "version", r.Version, "rules", r.Len(), "before", before.Version)
		f.why = ""
	}
}

// Watch reloads the file at every interval until ctx ends. It looks at the
// content: what a clock set back or a copy with its times kept would hide,
// it sees.
func (f *File) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.Reload(log)
		}
	}
}
