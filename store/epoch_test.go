package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// begin begins an epoch with a record that says so.
func begin(t testing.TB, s *Store, id string) (seq uint64) {
	t.Helper()
	seq, err := s.BeginEpoch(id, sealText("begin "+id))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// TestEpochs counts from 1 in each epoch, keeps the chain across epochs, and
// knows the current epoch after a restart and after a salvage.
func TestEpochs(t *testing.T) {
	path := outbox(t)
	s := openWith(t, path, Options{})
	if got := s.Epoch(); got != (Epoch{First: 1}) {
		t.Errorf("a new outbox has epoch %+v", got)
	}
	var seen []string
	var last []byte
	seal := func(seq uint64, prev []byte) (record, link []byte, err error) {
		if string(prev) != string(last) {
			t.Errorf("record %d follows %x, want %x", seq, prev, last)
		}
		seen = append(seen, fmt.Sprint(seq))
		sum := sha256.Sum256(fmt.Append(nil, seen))
		last = sum[:]
		return []byte("x"), last, nil
	}
	do := func(id string) {
		t.Helper()
		var err error
		if id == "" {
			_, err = s.Append(seal)
		} else {
			_, err = s.BeginEpoch(id, seal)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"e1", "", "", "e2", ""} {
		do(id)
	}
	refused := errors.New("refused")
	if _, err := s.BeginEpoch("e3", func(uint64, []byte) ([]byte, []byte, error) { return nil, nil, refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	for _, id := range []string{"", string(make([]byte, maxEpochID+1))} {
		if _, err := s.BeginEpoch(id, seal); err == nil {
			t.Errorf("an epoch with an ID of %d bytes", len(id))
		}
	}
	do("")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, Options{})
	do("")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Salvage(path, noon); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, path, Options{})
	do("")
	if want := []string{"1", "2", "3", "1", "2", "3", "4", "5"}; !slices.Equal(seen, want) || s.Epoch() != (Epoch{ID: "e2", First: 4}) {
		t.Errorf("numbers %v in %+v, want %v", seen, s.Epoch(), want)
	}
	expectPosition(t, s, Position{First: 1, Last: 8})
}

// TestEpochIsAtomic: in a group commit with other records, each record is sealed
// for the epoch in which it is.
func TestEpochIsAtomic(t *testing.T) {
	s := open(t, outbox(t))
	s.commit.Lock() // so that all requests are in one commit
	var sealed []uint64
	seal := func(seq uint64, prev []byte) (record, link []byte, err error) {
		sealed = append(sealed, seq)
		return sealText("x")(seq, prev)
	}
	requests := []*request{{additions: []Addition{{Seal: seal}}}, {additions: []Addition{{Seal: seal}}, epoch: "e1"}, {additions: []Addition{{Seal: seal}}}}
	for _, r := range requests {
		s.queue.add(r)
	}
	s.commitQueue()
	s.commit.Unlock()
	if !slices.Equal(sealed, []uint64{1, 1, 2}) || s.Epoch() != (Epoch{ID: "e1", First: 2}) {
		t.Errorf("sealed %v, epoch %+v", sealed, s.Epoch())
	}
}

// TestEmptyPlaces: records whose place a salvage left empty are skipped.
func TestEmptyPlaces(t *testing.T) {
	file, records := history(t, 5)
	path := outbox(t)
	lost := records[2]
	damaged := slices.Clone(file)
	for at := bytes.Index(damaged, lost.Data); at >= 0; at = bytes.Index(damaged, lost.Data) {
		damaged[at]++
	}
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	salvaged, err := Salvage(path, noon)
	if err != nil || salvaged.TailLost || len(salvaged.Lost) != 1 {
		t.Fatalf("salvaged %+v, %v", salvaged, err)
	}
	s := open(t, path)
	var got []uint64
	for _, r := range pending(t, s, 0, 10) {
		got = append(got, r.Sequence)
	}
	want := []uint64{records[0].Sequence, records[1].Sequence, records[3].Sequence, records[4].Sequence}
	if !slices.Equal(got, want) {
		t.Errorf("pending are %v, want %v", got, want)
	}
	if err := s.Compact(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := len(pending(t, s, 0, 10)); n != 4 {
		t.Errorf("%d records after compaction", n)
	}
}

// TestFormat2 opens a file of the previous format, which has no epochs, with five
// records: 1 and 2 are acknowledged, and 4 is a dead letter.
func TestFormat2(t *testing.T) {
	file, err := os.ReadFile("testdata/format2.db")
	if err != nil {
		t.Fatal(err)
	}
	path := outbox(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, path, Options{Keep: 9})
	expectPosition(t, s, Position{First: 1, Acked: 2, Last: 5})
	if s.Epoch() != (Epoch{First: 1}) || s.Cursor("office") != 1 {
		t.Errorf("epoch %+v, cursor %d", s.Epoch(), s.Cursor("office"))
	}
	if letters, err := s.DeadLetters(); err != nil || len(letters) != 1 || letters[0].Sequence != 4 {
		t.Errorf("dead letters %v, %v", letters, err)
	}
	if seq := add(t, s, "f"); seq != 6 {
		t.Errorf("the next record is %d", seq)
	}
	if seq := begin(t, s, "e1"); seq != 7 || s.Epoch() != (Epoch{ID: "e1", First: 7}) {
		t.Errorf("the epoch begins with %d: %+v", seq, s.Epoch())
	}
}
