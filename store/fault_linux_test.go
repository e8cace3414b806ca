package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestFaultWhileOpen: a mapped page that cannot be read, here because the file
// was truncated, is an error. The open outbox then refuses everything. Opening
// it again checks the file.
func TestFaultWhileOpen(t *testing.T) {
	for name, use := range map[string]func(*Store) error{
		"read": func(s *Store) error { _, err := s.Pending(0, 99); return err },
		"append": func(s *Store) error {
			_, err := s.Append(sealText("b"))
			return err
		},
		"update": func(s *Store) error { return s.update(s.last, func(*bolt.Tx) error { return nil }) },
		"park": func(s *Store) error {
			return s.MoveToDeadLetters(1, func([]byte, Record) ([]byte, error) { return nil, nil })
		},
		"compact": func(s *Store) error { return s.Compact(t.Context(), nil) },
	} {
		path := outbox(t)
		s := openWith(t, path, Options{})
		for range 20 {
			add(t, s, strings.Repeat("x", 3000))
		}
		left := int64(2 * pageSize)
		if name == "update" {
			left = 0 // not even what a transaction begins with
		}
		if err := os.Truncate(path, left); err != nil {
			t.Fatal(err)
		}
		if err := use(s); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Append(sealText("c")); !errors.Is(err, ErrBroken) {
			t.Errorf("append after %s: %v", name, err)
		}
		if level, err := s.Level(); level != Full || !errors.Is(err, ErrBroken) {
			t.Errorf("level after %s: %v, %v", name, level, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close after %s: %v", name, err)
		}
		if err := check(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("the file after %s: %v", name, err)
		}
	}
}

func TestRecordsFaultWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	r, err := OpenRecords(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Put("a", map[string][]byte{"1": make([]byte, 9000)}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get("a", "1"); !errors.Is(err, ErrBroken) {
		t.Errorf("read: %v", err)
	}
	if err := r.Put("a", nil); !errors.Is(err, ErrBroken) {
		t.Errorf("write: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := OpenRecords(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened again: %v", err)
	}
}
