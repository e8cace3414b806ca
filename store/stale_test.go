package store

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plant adds the page that has a text after change to the end of the file as it was
// before, where no tree uses it. So a page looks that a failed commit left.
func plant(t *testing.T, path, text string, change func(s *Store)) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	if err := os.WriteFile(other, before, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(other, Options{Keep: 100})
	if err != nil {
		t.Fatal(err)
	}
	change(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(after, []byte(text)) / pageSize * pageSize
	page := slices.Clone(after[at : at+pageSize])
	order.PutUint64(page, uint64(len(before)/pageSize))
	if err := os.WriteFile(path, append(before, page...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// three creates an outbox with three records.
func three(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "outbox.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		add(t, s, strings.Repeat("x", 3000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// fileHas fails unless the file still contains a text, so that Salvage could find it.
func fileHas(t *testing.T, path, text string) {
	t.Helper()
	if file, err := os.ReadFile(path); err != nil || !bytes.Contains(file, []byte(text)) {
		t.Fatalf("the file does not have %q any more (%v)", text, err)
	}
}

// A dead letter in a page that is not in use, as a failed commit leaves it, does not come
// back after its record was acknowledged and deleted.
func TestStaleDeadLetter(t *testing.T) {
	path := three(t)
	plant(t, path, string(deadLetterKey(2)), func(s *Store) {
		if err := s.MoveToDeadLetters(2, func([]byte, Record) ([]byte, error) { return []byte("stand-in"), nil }); err != nil {
			t.Fatal(err)
		}
	})
	s := openWith(t, path, Options{})
	if err := s.Ack(3); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fileHas(t, path, string(deadLetterKey(2)))
	if _, err := Salvage(path, noon); err != nil {
		t.Fatal(err)
	}
	if letters, err := open(t, path).DeadLetters(); err != nil || len(letters) != 0 {
		t.Errorf("%d dead letters, %v", len(letters), err)
	}
}

// A record that a failed commit left does not come back: not after the newest one, and
// not in the place of another record that cannot be read.
func TestStaleRecord(t *testing.T) {
	path := three(t)
	plant(t, path, "staley", func(s *Store) { add(t, s, "stale"+strings.Repeat("y", 3000)) })
	fileHas(t, path, "staley")
	salvaged, err := Salvage(path, noon)
	if s := openWith(t, path, Options{}); err != nil || s.Sequence() != 3 || len(salvaged.Lost) != 0 || salvaged.TailLost {
		t.Errorf("salvaged %+v, %v; the newest is %d", salvaged, err, s.Sequence())
	} else if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	path = three(t)
	plant(t, path, "staley", func(s *Store) { add(t, s, "stale"+strings.Repeat("y", 3000)) })
	s := openWith(t, path, Options{})
	add(t, s, "right"+strings.Repeat("z", 2000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fileHas(t, path, "staley")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file[bytes.Index(file, []byte("rightz"))]++
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	salvaged, err = Salvage(path, noon)
	if err != nil || !slices.Equal(salvaged.Lost, []Range{{4, 4}}) || salvaged.Kept != 3 {
		t.Errorf("salvaged %+v, %v", salvaged, err)
	}
}

// Consumers keep their places, also when the newest commit's pages are damaged. A place
// after the newest record that is left moves back to it, because the numbers after it are
// used again.
func TestSalvageKeepsCursors(t *testing.T) {
	path := three(t)
	s := openWith(t, path, Options{Keep: 100, Required: []string{"office"}})
	for name, at := range map[string]uint64{"office": 1, "guard": 2} {
		if err := s.Advance(name, at); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, strings.Repeat("a", 3000))
	if err := s.Advance("guard", 4); err != nil {
		t.Fatal(err)
	}
	add(t, s, strings.Repeat("b", 3000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for at := 0; at < len(whole); at += pageSize {
		damaged := slices.Clone(whole)
		clear(damaged[at : at+pageSize])
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Salvage(path, noon); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, path, Options{Keep: 100, Required: []string{"office"}})
		office, guard := s.Cursor("office"), s.Cursor("guard")
		if office > 1 || guard > 4 || guard > s.Sequence() {
			t.Errorf("without page %d the cursors are at %d and %d of %d", at/pageSize, office, guard, s.Sequence())
		}
		if office == 1 && guard >= 2 {
			kept++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if pages := len(whole) / pageSize; kept < pages {
		t.Errorf("the cursors are kept without %d of %d pages", kept, pages)
	}
}
