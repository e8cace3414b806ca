package store

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
)

// TestExamine reads a file that is open, a damaged one, and garbage.
func TestExamine(t *testing.T) {
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
	look := func(path string) (Examination, []Record) {
		t.Helper()
		var records []Record
		x, err := Examine(path, func(r Record) error { records = append(records, r); return nil })
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
		t.Errorf("examined %+v, %d records of %d", x, len(records), len(all))
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
		t.Errorf("examined %+v, %d records", x, len(records))
	}

	if err := os.WriteFile(damaged, bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(damaged, nil); !errors.Is(err, ErrNoTrace) {
		t.Errorf("examined garbage: %v", err)
	}

	// What cannot be salvaged is begun anew, where somebody else knows that
	// it stood.
	aside, err := Begin(damaged, noon, 40, func(seq uint64) ([]byte, []byte, error) { return replaceText(seq, Range{}, nil) })
	if err != nil || aside != damaged+".damaged-20261122T120000Z" {
		t.Fatalf("set aside as %s, %v", aside, err)
	}
	first := func(seq uint64) ([]byte, []byte, error) { return replaceText(seq, Range{}, nil) }
	if aside, err := Begin(damaged, noon, 40, first); err != nil || aside != damaged+".damaged-20261122T120000Z-2" {
		t.Fatalf("set aside again as %s, %v", aside, err)
	}
	fresh := openWith(t, damaged, Options{})
	if records := pending(t, fresh, 0, 9); len(records) != 1 || string(records[0].Data) != "lost 41" {
		t.Errorf("begun with %v", records)
	}
	if seq := add(t, fresh, "a"); seq != 42 {
		t.Errorf("appended as %d", seq)
	}
}
