package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The next start removes the new file that an interrupted compaction or salvage left.
func TestInterruptedCopies(t *testing.T) {
	dir := t.TempDir()
	leave := func(name string) (path string) {
		path = filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for range 2 { // without a file, and with one
		s, err := Open(leave("outbox.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := OpenRecords(leave("records.db"))
		if err != nil {
			t.Fatal(err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) > 0 {
			t.Errorf("%q are left, %v", left, err)
		}
		if err := errors.Join(s.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// When the disk is full, so that the file cannot grow by a page, acknowledgements and
// deletions are still written, into pages that Append leaves free.
func TestBookkeepingOnFullDisk(t *testing.T) {
	s := openWith(t, outbox(t), Options{Keep: 1 << 30})
	for range 200 {
		add(t, s, strings.Repeat("x", 7000))
	}
	// Make some pages free, and then take the disk away.
	s.keep = 0
	if err := s.Ack(150); err != nil {
		t.Fatal(err)
	}
	s.disk = func() (int64, error) { return 0, nil }
	size := func() int64 {
		info, err := os.Stat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	n := 0
	for ; ; n++ {
		if _, err := s.Append(sealText(strings.Repeat("x", 3000))); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, free, err := s.pages(); err != nil || free < bookkeeping/2 || n == 0 {
		t.Fatalf("after %d records %d bytes are free, %v", n, free, err)
	}
	if err := errors.Join(s.Ack(s.Sequence()), s.Unack(s.Sequence()-1), s.Ack(s.Sequence())); err != nil {
		t.Fatal(err)
	}
	if s.Advance("office", s.Sequence()) != nil || size() != before {
		t.Errorf("the file has %d bytes, before %d", size(), before)
	}
	add(t, s, "again")
}

// A record counts as whole pages, and one page more for the tree above it.
func TestCost(t *testing.T) {
	for _, size := range []int64{1, pageSize - entryHead, pageSize - entryHead + 1, 3 * pageSize, MaxRecordSize - 1, MaxRecordSize} {
		least := size + entryHead + pageSize
		if cost := (sealed{record: make([]byte, size)}).cost(); cost%pageSize != 0 || cost < least || cost >= least+pageSize || cost > maxCost {
			t.Errorf("a record of %d bytes counts as %d", size, cost)
		}
	}
}

// Damaged files give way, the oldest first, when the disk has no room.
func TestDamagedFilesGiveWay(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	var names []string
	for day := range 3 {
		names = append(names, fmt.Sprintf("%s.damaged-2026112%dT000000Z", s.path, day))
		if err := os.WriteFile(names[day], []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.disk = func() (int64, error) { // each file's removal makes room, and two are enough
		left, err := filepath.Glob(s.path + ".damaged-*")
		return DefaultHeadroom + int64(1-len(left))*4096, err
	}
	if _, err := s.Level(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(s.path + ".damaged-*")
	if err != nil || len(left) != 1 || left[0] != names[2] {
		t.Errorf("%q are left, %v", left, err)
	}
}

// Large values do not fill the records, so that small values can be written and large ones
// deleted.
func TestRecordsReserve(t *testing.T) {
	r, err := OpenRecords(filepath.Join(t.TempDir(), "records.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.maxSize = recordsReserve + 4<<20
	n := 0
	for ; err == nil; n++ {
		err = r.Put("crl-sets", map[string][]byte{fmt.Sprint(n): make([]byte, 256<<10)})
	}
	if !errors.Is(err, ErrFull) || n < 10 || n > 20 {
		t.Fatalf("after %d values: %v", n, err)
	}
	if err := r.Put("counters", map[string][]byte{"n": make([]byte, 1000)}); err != nil {
		t.Errorf("a small value: %v", err)
	}
	deleted := map[string][]byte{}
	for i := range n {
		deleted[fmt.Sprint(i)] = nil
	}
	if err := errors.Join(r.Put("crl-sets", deleted), r.Put("crl-sets", map[string][]byte{"again": make([]byte, 256<<10)})); err != nil {
		t.Errorf("after the deletion: %v", err)
	}
}
