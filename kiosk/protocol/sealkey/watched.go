package sealkey

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Watched is a hub's file of keys, which is read again when it changes. It is safe for
// concurrent use.
type Watched struct {
	path    string
	current atomic.Pointer[[]Key]

	mu  sync.Mutex // held by Reload
	why string     // the error of the last reload, "" if it succeeded
}

// Watch reads a hub's file. It returns the errors of ReadPrivate, and an error if somebody
// other than the owner can read the file.
func Watch(path string) (*Watched, error) {
	w := &Watched{path: path}
	keys, err := w.read()
	if err != nil {
		return nil, err
	}
	w.current.Store(&keys)
	return w, nil
}

func (w *Watched) read() ([]Key, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read sealing keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("cannot read sealing keys: others can read %s (mode %04o): chmod 600 it", w.path, mode)
	}
	return ReadPrivate(w.path)
}

// Keys returns the private keys, newest first; there is at least one. The caller must not
// change them.
func (w *Watched) Keys() []Key { return *w.current.Load() }

// Run checks at every interval whether the file has changed, until ctx ends. If the file
// has an error, the current keys stay. Each change and each new error is logged once.
func (w *Watched) Run(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.Reload(log)
		}
	}
}

// Reload reads the file at once, and reports whether it has changed.
func (w *Watched) Reload(log *slog.Logger) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys, err := w.read()
	if err != nil {
		if w.why != err.Error() {
			w.why = err.Error()
			log.Error("sealing keys not changed, those of before are used", "err", err)
		}
		return false
	}
	before := w.Keys()
	w.why = ""
	if slices.EqualFunc(keys, before, func(a, b Key) bool { return a.KeyID == b.KeyID && a.Made.Equal(b.Made) }) {
		return false
	}
	w.current.Store(&keys)
	log.Info("sealing keys changed", "key", keys[0].KeyID, "made", keys[0].Made, "keys", len(keys), "keys_before", len(before))
	if keys[0].Made.Before(before[0].Made) {
		log.Error("the newest sealing key is gone: kiosks that were told of it go on to seal to it; put it back, or make a new one",
			"key", before[0].KeyID)
	}
	return true
}
