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

// File is a rules file that is read again when it changes. It is safe for concurrent use.
type File struct {
	path    string
	domains []string // the trust domains that rules may name; nil for any
	current atomic.Pointer[Rules]
	stale   atomic.Bool

	mu        sync.Mutex
	lastError string // of the last Reload; "" if it succeeded
}

// Open reads a rules file. domains are the existing trust domains: Open refuses a rule
// about any other domain, because it would never apply. With nil, Open accepts any.
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

// SetDomains replaces the trust domains that rules may name, and reads the file again.
func (f *File) SetDomains(domains []string, log *slog.Logger) {
	f.mu.Lock()
	f.domains = domains
	f.mu.Unlock()
	f.Reload(log)
}

// Rules returns the current rules: those of the last version of the file without errors.
func (f *File) Rules() *Rules { return f.current.Load() }

// Stale reports whether the file has an error now, so that Rules returns older rules.
func (f *File) Stale() bool { return f.stale.Load() }

// Reload reads the file and uses its rules from now on. If the file has an error, the
// current rules stay. Each change and each new error is logged once.
func (f *File) Reload(log *slog.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current.Load()
	r, err := f.read()
	if err != nil {
		if f.stale.Store(true); err.Error() != f.lastError {
			log.Error("cannot load rules, the current rules stay in use", "version", before.Version, "err", err)
			f.lastError = err.Error()
		}
		return
	}
	f.current.Store(r)
	f.stale.Store(false)
	if f.lastError != "" || r.Version != before.Version {
		log.Info("rules loaded", "version", r.Version, "rules", r.Len(), "replaces", before.Version)
		f.lastError = ""
	}
}

// Watch reloads the file at every interval until ctx ends. It compares contents, not
// times, so it also finds a change by a copy that keeps the old time. changed, if not
// nil, is called with new rules.
func (f *File) Watch(ctx context.Context, every time.Duration, log *slog.Logger, changed func(*Rules)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			before := f.Rules()
			f.Reload(log)
			if now := f.Rules(); changed != nil && now.Version != before.Version {
				changed(now)
			}
		}
	}
}
