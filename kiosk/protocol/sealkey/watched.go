package sealkey

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Watched is a hub's file that is read anew when it changes. Many may use it
// at once.
type Watched struct {
	path    string
	current atomic.Pointer[[]Key]
	why     string // the error of the last reload, "" if there was none
}

// Watch reads a hub's file. The error is ReadPrivate's, or that others may
// read it.
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

// Keys gives the private keys, newest first; there is at least one. They are
// not the caller's to change.
func (w *Watched) Keys() []Key { return *w.current.Load() }

// Run looks every so often whether the file has changed, until ctx ends. What
// cannot be used leaves the keys as they are. It is logged once what changed
// and what is wrong.
func (w *Watched) Run(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.reload(log)
		}
	}
}

func (w *Watched) reload(log *slog.Logger) {
	keys, err := w.read()
	if err != nil {
		if w.why != err.Error() {
			w.why = err.Error()
			log.Error("sealing keys not changed, those of before are used", "err", err)
		}
		return
	}
	before := w.Keys()
	w.why = ""
	if slices.EqualFunc(keys, before, func(a, b Key) bool { return a.KeyID == b.KeyID && a.Made.Equal(b.Made) }) {
		return
	}
	w.current.Store(&keys)
	log.Info("sealing keys changed", "key", keys[0].KeyID, "made", keys[0].Made, "keys", len(keys), "keys_before", len(before))
	if keys[0].Made.Before(before[0].Made) {
		log.Error("the newest sealing key is gone: kiosks that were told of it go on to seal to it; put it back, or make a new one",
			"key", before[0].KeyID)
	}
}
