package sealkey

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"
)

// Newest is the newest key that a kiosk was ever told of, in a file: what is
// sealed to it is never followed by what is sealed to an older one, so that a
// hub may retire that once it has seen the newer. Many may use it at once.
type Newest struct {
	path string

	mu  sync.Mutex
	key Key
}

// OpenNewest reads the file at path. Until there is one, or when it is of no
// use, which is logged, first is the newest.
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

// Key gives the newest key.
func (n *Newest) Key() Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.key
}

// OlderError says that a key was made before the newest.
type OlderError struct{ Offered, Newest Key }

func (e *OlderError) Error() string {
	return fmt.Sprintf("sealing key %s was made at %s, before key %s of %s", e.Offered.KeyID, e.Offered.Made.Format(time.RFC3339),
		e.Newest.KeyID, e.Newest.Made.Format(time.RFC3339))
}

// Offer makes a public key the newest, and tells whether it was not before. It
// is on disk then, so that nothing is sealed to it that a restart could forget.
// A key that was made before the newest is an *OlderError.
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
