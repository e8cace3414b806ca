package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// newerProgram makes this package one that knows one format more, until the test or old ends.
func newerProgram(t *testing.T, step func(tx *bolt.Tx) error) (old func()) {
	before := migrations
	migrations = append(before[:len(before):len(before)], step)
	old = func() { migrations = before }
	t.Cleanup(old)
	return old
}

// After an update that converted the outbox, the program before it can go on: with the events
// from before the update. The records of the newer program are kept.
func TestGoBack(t *testing.T) {
	path := three(t)
	old := newerProgram(t, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("new"), []byte("x")) })
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, "written by the newer program")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{}) // again, which makes no other copy
	if err != nil || s.Sequence() != 4 {
		t.Fatalf("the newer program: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	old()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrSchema) {
		t.Fatalf("the old program: %v", err)
	}
	newer, err := GoBack(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{})
	if err != nil || s.Sequence() != 3 {
		t.Fatalf("after going back: %v", err)
	}
	add(t, s, "written by the old program")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := GoBack(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a copy: %v", err)
	}

	// The newer program can read what it wrote, and convert the outbox again.
	newerProgram(t, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("new"), []byte("x")) })
	for file, want := range map[string]string{newer: "written by the newer program", path: "written by the old program"} {
		s, err := Open(file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Records(3, 10)
		if err != nil || len(got) != 1 || !strings.HasSuffix(string(got[0].Data), want) {
			t.Errorf("%s has %d records after the third, %v", filepath.Base(file), len(got), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveCopies(path); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + ".format*")
	if err != nil || len(files) > 0 {
		t.Errorf("%q are left, %v", files, err)
	}
	if _, err := os.Stat(newer); err != nil {
		t.Errorf("the newer program's outbox is gone: %v", err)
	}
}

// A conversion that fails leaves the outbox as it was.
func TestFailedConversion(t *testing.T) {
	path := three(t)
	old := newerProgram(t, func(*bolt.Tx) error { return errors.New("no such column") })
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Fatalf("got %v", err)
	}
	old()
	s, err := Open(path, Options{})
	if err != nil || s.Sequence() != 3 {
		t.Fatalf("the old program: %v", err)
	}
	_ = s.Close()
}

// Without room for the copy the outbox is not converted.
func TestNoRoomForCopy(t *testing.T) {
	path := three(t)
	old := newerProgram(t, func(*bolt.Tx) error { return nil })
	// A folder has the name of the copy.
	if err := os.MkdirAll(formatCopy(path, uint64(len(migrations)-1))+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "cannot keep a copy before it is converted") {
		t.Fatalf("got %v", err)
	}
	old()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("the old program: %v", err)
	}
	_ = s.Close()
}
