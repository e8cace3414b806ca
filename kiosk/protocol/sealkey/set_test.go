package sealkey

import (
	"bytes"
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

// Keys are added and retired one at a time. The newest is first, and only the owner can
// read the file.
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
	if err := Retire(filepath.Join(filepath.Dir(path), "missing", "seal.jwk"), first.KeyID); err == nil {
		t.Error("retired a key of a folder that is missing")
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
	if err := Init(path, noon); err != nil || len(read(t, path)) != 2 {
		t.Errorf("made again: %v", err)
	}
}

// If several operators rotate at the same time, no key is lost.
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

// A change of the hub's file is used and logged once. An error in the file is also logged
// once.
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
	step := func(name string, change error, want Key, says string) {
		t.Helper()
		if change != nil {
			t.Fatal(change)
		}
		var told strings.Builder
		for range 3 {
			w.Reload(slog.New(slog.NewTextHandler(&told, nil)))
		}
		if got := w.Keys()[0].KeyID; got != want.KeyID || says != "" && strings.Count(told.String(), says) != 1 || says == "" && told.Len() > 0 {
			t.Errorf("%s: the newest is %s, want %s; logged %q, want %q once", name, got, want.KeyID, told.String(), says)
		}
	}
	step("nothing", nil, first, "")
	second, err := Rotate(path, noon)
	step("rotate", err, second, "sealing keys changed")
	step("break", os.WriteFile(path, before[:20], 0o600), second, "sealing keys not changed")
	step("go back", os.WriteFile(path, before, 0o600), first, "the newest sealing key is gone")
	step("the same key, made later", os.WriteFile(path, bytes.Replace(before, []byte(`"iat": `), []byte(`"iat": 1`), 1), 0o600), first, "sealing keys changed")
	step("go back again", os.WriteFile(path, before, 0o600), first, "sealing keys changed")
	step("open to others", os.Chmod(path, 0o640), first, "(mode 0640): chmod 600 it")
	step("close again", os.Chmod(path, 0o600), first, "")
	step("remove", os.Remove(path), first, "sealing keys not changed")
}

// A running hub watches the file until ctx ends.
func TestWatchedRuns(t *testing.T) {
	path, _ := newSet(t)
	w, err := Watch(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx, time.Second, slog.New(slog.DiscardHandler))
		second := rotate(t, path, noon)
		<-time.After(2 * time.Second)
		synctest.Wait()
		stop()
		if got := w.Keys()[0].KeyID; got != second.KeyID {
			t.Errorf("the newest is %s, want %s", got, second.KeyID)
		}
	})
}
