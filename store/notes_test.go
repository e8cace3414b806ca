package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A note is kept across a restart, a compaction and a salvage, until a record clears it.
func TestNotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	s := open(t, path)
	add := func(want uint64, additions ...Addition) {
		t.Helper()
		if seq, err := s.AppendAll(additions...); err != nil || seq != want {
			t.Fatalf("appended %d, %v", seq, err)
		}
	}
	is := func(want ...string) {
		t.Helper()
		if got := s.Notes(); !slices.Equal(got, want) {
			t.Fatalf("notes %q, want %q", got, want)
		}
	}
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
	}
	if _, err := s.BeginEpoch("e1", sealText("begin")); err != nil {
		t.Fatal(err)
	}
	add(2, Addition{Seal: sealText("a"), Note: "visit a"})
	add(4, Addition{Seal: sealText("shown a"), Clears: "visit a"}, Addition{Seal: sealText("b"), Note: "visit b"})
	is("visit b")
	reopen()
	is("visit b")
	if err := s.Compact(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	is("visit b")
	// A failed record leaves the notes as they were.
	refused := errors.New("refused")
	if _, err := s.AppendAll(Addition{Seal: sealText("shown b"), Clears: "visit b"},
		Addition{Seal: func(uint64, []byte) ([]byte, []byte, error) { return nil, nil, refused }, Note: "visit c"}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	is("visit b")
	if s.Sequence() != 4 {
		t.Fatalf("half of a failed call is in the outbox: %d", s.Sequence())
	}
	reopen()
	is("visit b")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Salvage(path, noon); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	is("visit b")
	add(5, Addition{Seal: sealText("shown b"), Clears: "visit b"})
	is()
	for n := range maxNotes + 2 {
		add(uint64(6+n), Addition{Seal: sealText("x"), Note: fmt.Sprint(n)})
	}
	is("2", "3", "4", "5", "6", "7", "8", "9")
	for _, bad := range []string{"a\x00b", strings.Repeat("x", maxNote+1)} {
		if _, err := s.AppendAll(Addition{Seal: sealText("x"), Note: bad}); err == nil {
			t.Errorf("the note %q is accepted", bad)
		}
	}
	if _, err := s.AppendAll(); err == nil {
		t.Error("an append of nothing succeeds")
	}
}
