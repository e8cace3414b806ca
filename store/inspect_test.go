package store

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
)

// TestInspect reads a file that is open, a damaged one, and garbage.
func TestInspect(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{Keep: 2})
	for range 3 {
		if err := s.Ack(add(t, s, string(make([]byte, 2000)))); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		add(t, s, string(make([]byte, 2000)))
	}
	look := func(path string) (Inspection, []Record) {
		t.Helper()
		var records []Record
		x, err := Inspect(path, func(r Record) error { records = append(records, r); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return x, records
	}
	x, records := look(path)
	all, err := s.Records(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Record) bool { return a.Sequence == b.Sequence && bytes.Equal(a.Data, b.Data) }
	if x.Position != s.Position() || x.Damage != nil || x.Lost != nil || !slices.EqualFunc(records, all, same) {
		t.Errorf("inspected %+v, %d records of %d", x, len(records), len(all))
	}

	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[2:4] {
		for at := bytes.Index(file, r.Data); at >= 0; at = bytes.Index(file, r.Data) {
			file[at]++
		}
	}
	damaged := outbox(t)
	if err := os.WriteFile(damaged, file, 0o600); err != nil {
		t.Fatal(err)
	}
	x, records = look(damaged)
	lost := []Range{{all[2].Sequence, all[3].Sequence}}
	if !errors.Is(x.Damage, ErrDamaged) || !slices.Equal(x.Lost, lost) || len(records) != len(all)-2 {
		t.Errorf("inspected %+v, %d records", x, len(records))
	}

	if err := os.WriteFile(damaged, bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(damaged, nil); !errors.Is(err, ErrNoTrace) {
		t.Errorf("inspected garbage: %v", err)
	}
}
