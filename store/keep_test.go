package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openWith(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func expectPosition(t testing.TB, s *Store, want Position) {
	t.Helper()
	if got := s.Position(); got != want {
		t.Errorf("the outbox stands at %+v, want %+v", got, want)
	}
}

// TestKeep keeps the newest acknowledged records. After a restart they are
// still there and still acknowledged.
func TestKeep(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{Keep: 3})
	for range 6 {
		if err := s.Ack(add(t, s, "a")); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, "pending")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, Options{Keep: 3})
	expectPosition(t, s, Position{First: 4, Acked: 6, Last: 7})
	records, err := s.Records(0, 10)
	if err != nil || len(records) != 4 || records[0].Sequence != 4 {
		t.Errorf("%d records are kept, %v", len(records), err)
	}
	if n := len(pending(t, s, 0, 10)); n != 1 {
		t.Errorf("%d records are pending", n)
	}
}

// TestRequiredConsumer keeps acknowledged records until a required consumer has
// processed them, also across a restart. Another consumer keeps no record.
func TestRequiredConsumer(t *testing.T) {
	path := outbox(t)
	o := Options{Required: []string{"backend"}}
	s := openWith(t, path, o)
	for range 6 {
		add(t, s, "a")
	}
	if err := errors.Join(s.Ack(6), s.Advance("backend", 2), s.Advance("another", 1), s.Advance("backend", 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Advance("backend", 7); err == nil {
		t.Error("a cursor is beyond the newest record")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, o)
	expectPosition(t, s, Position{First: 3, Acked: 6, Last: 6})
	if b, a := s.Cursor("backend"), s.Cursor("another"); b != 2 || a != 1 {
		t.Errorf("cursors are %d and %d", b, a)
	}
	if err := s.Advance("backend", 6); err != nil {
		t.Fatal(err)
	}
	add(t, s, "b")
	expectPosition(t, s, Position{First: 7, Acked: 6, Last: 7})
}

// TestLevels deletes kept records before the level is Low, and reports Full
// while there is still space for the outcomes of running visits.
func TestLevels(t *testing.T) {
	s := openWith(t, outbox(t), Options{MaxSize: MinMaxSize, Keep: 1 << 30})
	level := func() Level {
		t.Helper()
		l, err := s.Level()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for range 400 {
		if err := s.Ack(add(t, s, strings.Repeat("x", 7000))); err != nil {
			t.Fatal(err)
		}
		if l := level(); l != Roomy {
			t.Fatalf("%v with nothing pending", l)
		}
	}
	if p := s.Position(); p.First < 100 {
		t.Errorf("record %d is still kept", p.First)
	}
	var seen []Level
	for level() != Full {
		add(t, s, strings.Repeat("x", 7000))
		if l := level(); len(seen) == 0 || seen[len(seen)-1] != l {
			seen = append(seen, l)
		}
	}
	if len(seen) != 3 || seen[0] != Roomy || seen[1] != Low {
		t.Errorf("the levels were %v", seen)
	}
	for range 100 {
		add(t, s, strings.Repeat("x", 7000)) // outcomes that were on their way
	}
	// It opens again with clearly more room, not with a little.
	if err := s.Ack(s.Position().Acked + 105); err != nil {
		t.Fatal(err)
	}
	if l := level(); l != Full {
		t.Errorf("%v after as much was acknowledged as was appended since Full", l)
	}
	if err := s.Ack(s.Sequence()); err != nil {
		t.Fatal(err)
	}
	if l := level(); l != Roomy {
		t.Errorf("%v after all was acknowledged", l)
	}
}

// TestHeadroom: when other programs fill the disk, the outbox is full except
// for its own free pages.
func TestHeadroom(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	var free int64 = DefaultHeadroom + 1<<40
	s.disk = func() (int64, error) { return free, nil }
	for range 300 {
		add(t, s, strings.Repeat("x", 7000))
	}
	free = DefaultHeadroom + reserve/2
	if l, err := s.Level(); l != Full || err != nil {
		t.Errorf("%v on a full disk, %v", l, err)
	}
	free = DefaultHeadroom / 2
	if _, err := s.Append(sealText(strings.Repeat("x", 100_000))); !errors.Is(err, ErrFull) {
		t.Errorf("appended into the headroom: %v", err)
	}
	if err := s.Ack(s.Sequence()); err != nil {
		t.Fatal(err)
	}
	if seq := add(t, s, strings.Repeat("x", 100_000)); seq != 301 {
		t.Errorf("sequence %d after 300", seq)
	}
	s.disk = func() (int64, error) { return 0, os.ErrPermission }
	if l, err := s.Level(); l != Full || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v, %v when the free disk space is unknown", l, err)
	}
}

// TestSpaceChecks: an append checks the space each time when little is left, and
// now and then when there is plenty.
func TestSpaceChecks(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	var free int64 = DefaultHeadroom + 1<<40
	looks := 0
	s.disk = func() (int64, error) { looks++; return free, nil }
	for range 300 {
		add(t, s, strings.Repeat("x", 7000))
	}
	if looks < 2 || looks > 10 {
		t.Errorf("%d checks of the space for 300 records", looks)
	}
	free = DefaultHeadroom + reserve + s.limit/4 + 10_000
	if _, err := s.Level(); err != nil {
		t.Fatal(err)
	}
	looks = 0
	for range 10 {
		add(t, s, strings.Repeat("x", 7000))
	}
	if looks != 10 {
		t.Errorf("%d checks for 10 records when little space is left", looks)
	}
}

// TestCompact shrinks the file and keeps all records, cursors and numbers.
func TestCompact(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{Keep: 5})
	for range 300 {
		add(t, s, strings.Repeat("x", 40_000))
	}
	if s.Sparse() {
		t.Error("a full file is sparse")
	}
	if err := errors.Join(s.Ack(290), s.Advance("backend", 288)); err != nil {
		t.Fatal(err)
	}
	if err := s.MoveToDeadLetters(292, func([]byte, Record) ([]byte, error) { return []byte("stand-in"), nil }); err != nil {
		t.Fatal(err)
	}
	for range 2 { // deletion is in steps
		add(t, s, "b")
	}
	if !s.Sparse() {
		t.Error("an emptied file is not sparse")
	}
	want, err := s.Records(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Compact(given, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled compaction: %v", err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cancelled compaction left its file: %v", err)
	}
	batches := 0
	if err := s.Compact(t.Context(), func() { batches++ }); err != nil {
		t.Fatal(err)
	}
	if batches == 0 {
		t.Error("no progress was reported")
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<20 || s.Sparse() {
		t.Errorf("the file is of %d bytes after compaction, %v", info.Size(), err)
	}
	add(t, s, "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, Options{Keep: 5})
	expectPosition(t, s, Position{First: 286, Acked: 290, Last: 303})
	got, err := s.Records(0, 100)
	if err != nil || len(got) != len(want)+1 || s.Cursor("backend") != 288 {
		t.Fatalf("%d records, want %d and one; cursor %d; %v", len(got), len(want), s.Cursor("backend"), err)
	}
	for i := range want {
		if string(got[i].Data) != string(want[i].Data) {
			t.Errorf("record %d changed", want[i].Sequence)
		}
	}
	if letters, err := s.DeadLetters(); err != nil || len(letters) != 1 {
		t.Errorf("%d dead letters, %v", len(letters), err)
	}
}

// TestCompactWithoutRoom changes nothing when a second file does not fit.
func TestCompactWithoutRoom(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	add(t, s, "a")
	s.disk = func() (int64, error) { return DefaultHeadroom, nil }
	if err := s.Compact(t.Context(), nil); !errors.Is(err, ErrFull) {
		t.Errorf("compacted on a full disk: %v", err)
	}
}

// TestFolderLostInCompaction: when it is unknown which file is the outbox,
// Append fails.
func TestFolderLostInCompaction(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, filepath.Join(folder, "outbox.db"), Options{})
	add(t, s, "a")
	s.disk = func() (int64, error) {
		// As if the rename could not be made durable.
		return 1 << 40, errors.Join(os.RemoveAll(s.path), os.MkdirAll(filepath.Join(s.path, "in the way"), 0o700))
	}
	if err := s.Compact(t.Context(), nil); err == nil {
		t.Error("compacted into nothing")
	}
	s.disk = func() (int64, error) { return 1 << 40, nil }
	if seq, err := s.Append(sealText("b")); err == nil {
		t.Errorf("appended as %d", seq)
	}
}

func TestMoveToDeadLetters(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{Keep: 9})
	for range 4 {
		add(t, s, "a")
	}
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	before := pending(t, s, 0, 9)
	standIn := func(prev []byte, refused Record) ([]byte, error) {
		if len(prev) != LinkSize || !bytes.Equal(refused.Link, before[1].Link) || !bytes.Equal(refused.Data, before[1].Data) {
			t.Errorf("the stand-in is between %x and %x", prev, refused.Link)
		}
		return []byte("stand-in"), nil
	}
	no := errors.New("no")
	for name, err := range map[string]error{
		"what was acknowledged": s.MoveToDeadLetters(1, standIn),
		"what is not there":     s.MoveToDeadLetters(5, standIn),
		"failed":                s.MoveToDeadLetters(2, func([]byte, Record) ([]byte, error) { return nil, no }),
		"too large":             s.MoveToDeadLetters(2, func([]byte, Record) ([]byte, error) { return make([]byte, MaxRecordSize+1), nil }),
	} {
		if err == nil {
			t.Errorf("moved to the dead letters: %s", name)
		}
	}
	if err := s.MoveToDeadLetters(3, standIn); err != nil {
		t.Fatal(err)
	}
	if err := s.MoveToDeadLetters(3, standIn); err == nil {
		t.Error("a record was moved to the dead letters twice")
	}
	seq := add(t, s, "after")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openWith(t, path, Options{Keep: 9})
	got := pending(t, s, 0, 9)
	if len(got) != 4 || string(got[1].Data) != "stand-in" || string(got[2].Data) != string(before[2].Data) || got[3].Sequence != seq {
		t.Errorf("pending: %v", got)
	}
	letters, err := s.DeadLetters()
	if err != nil || len(letters) != 1 || letters[0].Sequence != 3 || string(letters[0].Data) != string(before[1].Data) {
		t.Errorf("dead letters: %v, %v", letters, err)
	}
}

// TestManyDeadLetters: dead letters never hold up the records behind them, however many
// there are.
func TestManyDeadLetters(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	const many = 150
	for range many {
		if err := s.MoveToDeadLetters(add(t, s, "a"), func([]byte, Record) ([]byte, error) { return []byte("stand-in"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if letters, err := s.DeadLetters(); err != nil || len(letters) != many {
		t.Errorf("%d dead letters, %v", len(letters), err)
	}
}

// TestCursorAlone: Close writes a cursor that advanced while nothing else changed.
func TestCursorAlone(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{})
	add(t, s, "a")
	if err := errors.Join(s.Advance("backend", 1), s.Close()); err != nil {
		t.Fatal(err)
	}
	if at := openWith(t, path, Options{}).Cursor("backend"); at != 1 {
		t.Errorf("the cursor is %d", at)
	}
}
