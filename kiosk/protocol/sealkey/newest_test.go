package sealkey

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A kiosk never goes back to an older key, also after a restart. It writes the file only if
// the key has changed.
func TestNewest(t *testing.T) {
	path, _ := newSet(t)
	rotate(t, path, noon.Add(time.Hour))
	rotate(t, path, noon.Add(2*time.Hour))
	keys := read(t, path) // newest first
	kept := filepath.Join(t.TempDir(), "seal.jwk")
	open := func(first Key) *Newest { return OpenNewest(kept, first.Public(), slog.New(slog.DiscardHandler)) }

	n := open(keys[2])
	if changed, err := n.Offer(keys[2].Public()); changed || err != nil {
		t.Errorf("the same: %v, %v", changed, err)
	}
	if _, err := os.Stat(kept); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("written for nothing: %v", err)
	}
	if changed, err := n.Offer(keys[1].Public()); !changed || err != nil || n.Key().KeyID != keys[1].KeyID {
		t.Errorf("a newer: %v, %v", changed, err)
	}
	for range 2 {
		var older *OlderError
		if changed, err := n.Offer(keys[2].Public()); changed || !errors.As(err, &older) || n.Key().KeyID != keys[1].KeyID {
			t.Errorf("an older: %v, %v", changed, err)
		}
		n = open(keys[2]) // a restart
	}
	if got := open(keys[0]).Key().KeyID; got != keys[0].KeyID {
		t.Error("a newer first key, of a new bundle, does not count")
	}
	if _, err := ReadPublic(kept); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode()&^0o644 != 0 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}

	// A key that cannot be stored is not used.
	if err := os.Mkdir(kept+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept+".new/x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := n.Offer(keys[0].Public()); changed || err == nil || n.Key().KeyID != keys[1].KeyID {
		t.Errorf("with no room for it: %v, %v", changed, err)
	}
}
