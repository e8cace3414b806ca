package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/sealkey"
)

// TestSealing checks that events are sealed to the newest key that the hub has
// announced, also when the hub later announces an older key, and after a restart.
func TestSealing(t *testing.T) {
	dir := t.TempDir()
	hub := filepath.Join(dir, "hub.jwk")
	if err := sealkey.Init(hub, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := sealkey.Rotate(hub, time.Now()); err != nil {
		t.Fatal(err)
	}
	keys, err := sealkey.ReadPrivate(hub)
	if err != nil {
		t.Fatal(err)
	}
	newer, older := keys[0].Public(), keys[1].Public()
	c := &config.Config{ID: "k1", State: filepath.Join(dir, "state"), Hub: config.Hub{Seal: filepath.Join(dir, "bundle.jwk")}}
	if err := sealkey.WritePublic(c.Hub.Seal, older); err != nil {
		t.Fatal(err)
	}
	device, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	open := func() *sealing {
		t.Helper()
		s, err := openSealing(c, device, slog.New(slog.NewTextHandler(&told, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, j := open(), &journal.Journal{}
	if err := s.follow(newer, j); err == nil {
		t.Error("a key is used that could not be kept")
	}
	if got := s.newest.Key().KeyID; got != older.KeyID {
		t.Errorf("without a state folder events are sealed to %s", got)
	}
	if err := os.Mkdir(c.State, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, k := range []sealkey.Key{newer, older, newer} {
		if err := s.follow(k, j); err != nil {
			t.Error(err)
		}
		if got := s.newest.Key().KeyID; got != newer.KeyID {
			t.Errorf("events are sealed to %s", got)
		}
	}
	if got := open().newest.Key().KeyID; got != newer.KeyID {
		t.Errorf("after a restart events are sealed to %s", got)
	}
	if said := told.String(); strings.Count(said, "sealed to a new key") != 1 || strings.Count(said, "no longer announces") != 1 {
		t.Errorf("it logged %s", said)
	}
}
