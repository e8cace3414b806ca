package sealkey

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newSet(t testing.TB) (path string, first Key) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "seal.jwk")
	if err := Init(path, noon); err != nil {
		t.Fatal(err)
	}
	return path, read(t, path)[0]
}

func read(t testing.TB, path string) []Key {
	t.Helper()
	keys, err := ReadPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func rotate(t testing.TB, path string, now time.Time) Key {
	t.Helper()
	k, err := Rotate(path, now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Keys come and go one at a time, the newest first, for the owner alone.
func TestRotateAndRetire(t *testing.T) {
	path, first := newSet(t)
	second := rotate(t, path, noon.Add(time.Hour))
	third := rotate(t, path, noon) // the clock was set back
	if got := third.Made.Sub(second.Made); got != time.Second {
		t.Errorf("the third key is %s newer than the second", got)
	}
	if err := Retire(path, third.KeyID); !errors.Is(err, ErrInUse) {
		t.Errorf("the newest: %v", err)
	}
	if err := Retire(path, "other"); err == nil || !strings.Contains(err.Error(), "there is no sealing key other") {
		t.Errorf("another: %v", err)
	}
	if err := Retire(path, first.KeyID); err != nil {
		t.Fatal(err)
	}
	keys := read(t, path)
	if len(keys) != 2 || keys[0].KeyID != third.KeyID || keys[1].KeyID != second.KeyID {
		t.Errorf("%d keys are left", len(keys))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %s, %v", info.Mode(), err)
	}
	if err := Init(path, noon); err == nil || len(read(t, path)) != 2 {
		t.Errorf("made anew over it: %v", err)
	}
}

// Of several operators at once none loses another's key.
func TestRotateAtOnce(t *testing.T) {
	path, _ := newSet(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := Rotate(path, noon); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if keys := read(t, path); len(keys) != 9 || keys[0].Made.Sub(noon) != 8*time.Second {
		t.Errorf("%d keys, the newest of %s", len(keys), keys[0].Made)
	}
}

// A hub that runs takes up what changes, and says what it cannot use, once.
func TestWatched(t *testing.T) {
	path, first := newSet(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Watch(path)
	if err != nil || w.Keys()[0].KeyID != first.KeyID {
		t.Fatal(err)
	}
	write := func(text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mode := func(m os.FileMode) {
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var told strings.Builder
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx, time.Second, slog.New(slog.NewTextHandler(&told, nil)))
		step := func(name string, change func(), want func() Key, says string) {
			t.Helper()
			told.Reset()
			change()
			<-time.After(10 * time.Second)
			synctest.Wait()
			said := told.String()
			if got := w.Keys()[0].KeyID; got != want().KeyID || says != "" && strings.Count(said, says) != 1 || says == "" && said != "" {
				t.Errorf("%s: the newest is %s, want %s; logged %q, want %q once", name, got, want().KeyID, said, says)
			}
		}
		var second Key
		step("rotate", func() { second = rotate(t, path, noon) }, func() Key { return second }, "sealing keys changed")
		step("break", func() { write(before[:20]) }, func() Key { return second }, "sealing keys not changed")
		step("restore", func() { write(before) }, func() Key { return first }, "the newest sealing key is gone")
		step("open to others", func() { mode(0o640) }, func() Key { return first }, "(mode 0640): chmod 600 it")
		step("again as it was", func() { mode(0o600) }, func() Key { return first }, "")
		stop()
		synctest.Wait()
	})
}
