package store

import (
	"errors"
	"os/signal"
	"syscall"
	"testing"
)

// limitFiles makes every write beyond a size fail, as on a full disk, until
// the test ends or undo is called.
func limitFiles(t *testing.T, size uint64) (undo func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	undo = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
	t.Cleanup(undo)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return undo
}

// TestDiskFull: while nothing can be written Append fails, at whatever page
// that is, and when it can again it goes on as if nothing had been.
func TestDiskFull(t *testing.T) {
	for pages := range uint64(8) {
		path := outbox(t)
		s := open(t, path)
		for range 3 {
			add(t, s, "before")
		}
		undo := limitFiles(t, pages*pageSize)
		failed := 0
		for range 3 {
			if _, err := s.Append(sealText("not kept")); errors.Is(err, syscall.EFBIG) {
				failed++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		kept := 6 - failed
		if got := len(pending(t, s, 0, 10)); got != kept {
			t.Errorf("%d pages: %d records while the disk is full, want %d", pages, got, kept)
		}
		if pages < 3 && failed == 0 {
			t.Errorf("%d pages: nothing failed", pages)
		}
		undo()
		if seq := add(t, s, "after"); seq != uint64(kept)+1 {
			t.Errorf("%d pages: sequence %d after %d", pages, seq, kept)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		checkChain(t, pending(t, s, 0, 10), 1, nil)
		if s.Len() != kept+1 {
			t.Errorf("%d pages: %d records, want %d", pages, s.Len(), kept+1)
		}
	}
}
