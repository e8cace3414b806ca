package sealkey

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"
)

// Newest is the newest sealing key that a kiosk has received, kept in a file. After the
// kiosk has sealed to a key, it never seals to an older one. So a hub may retire the older
// key once it has received an event that is sealed to the newer one. Newest is safe for
// concurrent use.
type Newest struct {
	path string

	mu  sync.Mutex
	key Key
}

// OpenNewest reads the file at path. If the file is missing, first is the newest key. The
// same holds for an invalid file, which is logged.
func OpenNewest(path string, first Key, log *slog.Logger) *Newest {
	k, err := ReadPublic(path)
	switch {
	case err == nil && !k.Made.Before(first.Made):
		return &Newest{path: path, key: k}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		log.Error("the sealing key that was kept is of no use: until the hub tells another, the first one is used", "err", err)
	}
	return &Newest{path: path, key: first}
}

// Key returns the newest key.
func (n *Newest) Key() Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.key
}

// OlderError is the error for a key that was made before the newest one.
type OlderError struct{ Offered, Newest Key }

func (e *OlderError) Error() string {
	return fmt.Sprintf("sealing key %s was made at %s, before key %s of %s", e.Offered.KeyID, e.Offered.Made.Format(time.RFC3339),
		e.Newest.KeyID, e.Newest.Made.Format(time.RFC3339))
}

// Offer makes a public key the newest one, and reports whether that is a change. The key is
// then on disk, so that a restart cannot forget a key to which events were sealed. Offer
// returns an *OlderError if the key was made before the newest one.
func (n *Newest) Offer(k Key) (changed bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case k.KeyID == n.key.KeyID:
		return false, nil
	case k.Made.Before(n.key.Made):
		return false, &OlderError{k, n.key}
	}
	if err := WritePublic(n.path, k); err != nil {
		return false, err
	}
	n.key = k
	return true, nil
}
