package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// replaceText returns the stand-in for a lost record.
func replaceText(seq uint64, _ Range, _ []byte) (record, link []byte, err error) {
	return fmt.Appendf(nil, "lost %d", seq), bytes.Repeat([]byte{byte(seq)}, LinkSize), nil
}

// history creates an outbox with deleted, acknowledged and pending records. It
// returns the file and the pending records. The records have at least 1 KB, as
// sealed events do. bbolt stores a smaller bucket on its parent's page; then
// one page would hold both the newest record and the tail.
func history(t testing.TB, waiting int) (file []byte, records []Record) {
	t.Helper()
	path := outbox(t)
	s := open(t, path)
	for i := range 12 {
		if err := s.Ack(add(t, s, strings.Repeat("a", i*700))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range waiting {
		add(t, s, strings.Repeat("b", 1100+i%9*800))
	}
	file, err := os.ReadFile(path) // as a kill would leave it
	if err != nil {
		t.Fatal(err)
	}
	return file, pending(t, s, 0, waiting+1)
}

// recoverFile opens a file and salvages it if it is damaged.
func recoverFile(t testing.TB, file []byte) (s *Store, salvaged Salvaged) {
	t.Helper()
	path := outbox(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if errors.Is(err, ErrDamaged) {
		if salvaged, err = Salvage(path, noon, 0, replaceText); err != nil {
			t.Fatal(err)
		}
		aside, err := os.ReadFile(salvaged.DamagedFile)
		if err != nil || !bytes.Equal(aside, file) {
			t.Fatalf("the damaged file was not kept as it was (%v)", err)
		}
		s, err = Open(path, Options{})
		if err != nil {
			t.Fatalf("what was salvaged does not open: %v", err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, salvaged
}

// checkRecovered compares an outbox with its former content. Each record must
// be there, or be reported as lost and have a stand-in.
func checkRecovered(t testing.TB, s *Store, salvaged Salvaged, records []Record) (lost int) {
	t.Helper()
	first, newest := records[0].Sequence, records[len(records)-1].Sequence
	if s.Sequence() != newest {
		t.Fatalf("newest record is %d, was %d", s.Sequence(), newest)
	}
	got := pending(t, s, first-1, len(records)+1)
	if len(got) != len(records) {
		t.Fatalf("%d records, want %d", len(got), len(records))
	}
	for i, want := range records {
		switch {
		case bytes.Equal(got[i].Data, want.Data):
		case slices.Contains(numbers(salvaged.Lost), want.Sequence) && string(got[i].Data) == fmt.Sprintf("lost %d", want.Sequence):
			lost++
		default:
			t.Fatalf("record %d is %.40q", want.Sequence, got[i].Data)
		}
	}
	if seq := add(t, s, "after"); seq != newest+1 {
		t.Fatalf("sequence %d after %d", seq, newest)
	}
	return lost
}

// TestAnyPageOverwritten damages each page in turn: only the records on that
// page are lost, and each loss is reported.
func TestAnyPageOverwritten(t *testing.T) {
	for _, waiting := range []int{1, 9} {
		file, records := history(t, waiting)
		var quiet, loud int
		for at := 0; at < len(file); at += pageSize {
			for _, fill := range []string{"zeros", "ones", "noise", "another page", "a flipped bit"} {
				damaged := bytes.Clone(file)
				overwrite(damaged, at, fill)
				s, salvaged := recoverFile(t, damaged)
				lost := checkRecovered(t, s, salvaged, records)
				if lost > 5 || lost != len(numbers(salvaged.Lost)) {
					t.Errorf("page %d overwritten with %s: lost %v", at/pageSize, fill, salvaged.Lost)
				}
				if lost > 0 {
					loud++
				} else {
					quiet++
				}
				_ = s.Close()
			}
		}
		if quiet == 0 || loud == 0 {
			t.Errorf("%d waiting: %d without a loss, %d with one", waiting, quiet, loud)
		}
	}
}

func overwrite(file []byte, at int, fill string) {
	p := file[at:min(at+pageSize, len(file))]
	switch fill {
	case "zeros":
		clear(p)
	case "ones":
		copy(p, bytes.Repeat([]byte{0xFF}, pageSize))
	case "noise":
		r := rand.New(rand.NewPCG(1, uint64(at)))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	case "another page":
		copy(p, file[(at+2*pageSize)%len(file):])
	case "a flipped bit":
		p[40] ^= 4
	}
}

// TestCutShort removes the end of a file, which may hold the newest tail. Each
// record is found or reported as lost, and no sequence number is used twice.
func TestCutShort(t *testing.T) {
	file, records := history(t, 20)
	newest := records[len(records)-1].Sequence
	given := newest + 5
	pendingThen := Range{From: records[0].Sequence, Through: given}
	exact, beyond, kept := 0, 0, 0
	for n := 0; n < len(file); n += pageSize + 512 {
		path := outbox(t)
		if err := os.WriteFile(path, file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err == nil {
			checkRecovered(t, s, Salvaged{}, records)
			_ = s.Close()
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		salvaged, err := Salvage(path, noon, given, replaceText)
		if errors.Is(err, ErrNoTrace) {
			salvaged, err = Rebuild(path, noon, pendingThen, replaceText)
			kept += salvaged.Kept
		}
		if err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		switch s.Sequence() {
		case newest:
			exact++
		case given:
			beyond++
		default:
			t.Errorf("cut to %d bytes: newest is %d, lost %v", n, s.Sequence(), salvaged.Lost)
		}
		got, lost := map[uint64]string{}, numbers(salvaged.Lost)
		for _, r := range pending(t, s, 0, 100) {
			got[r.Sequence] = string(r.Data)
		}
		for _, r := range records {
			if got[r.Sequence] != string(r.Data) && !slices.Contains(lost, r.Sequence) {
				t.Errorf("cut to %d bytes: record %d is %.40q", n, r.Sequence, got[r.Sequence])
			}
		}
		_ = s.Close()
	}
	if exact > 0 || beyond < 20 || kept < 100 {
		t.Errorf("%d times it was clear which was the newest, %d times not; %d records were kept without a trace", exact, beyond, kept)
	}
}

// numbers returns the sequence numbers in ranges.
func numbers(ranges []Range) (all []uint64) {
	for _, r := range ranges {
		for seq := r.From; seq <= r.Through; seq++ {
			all = append(all, seq)
		}
	}
	return all
}

func TestNothingToSalvage(t *testing.T) {
	path := outbox(t)
	garbage := bytes.Repeat([]byte("garbage!"), 4096)
	if err := os.WriteFile(path, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Salvage(path, noon, 0, replaceText); !errors.Is(err, ErrDamaged) {
		t.Errorf("salvaged garbage: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, garbage) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestDamagedFilesAreBounded keeps the last damaged files, and always the
// newest one, even when the clock is wrong.
func TestDamagedFilesAreBounded(t *testing.T) {
	path := outbox(t)
	for _, day := range []int{20, 21, 22, 23, 1} {
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Rebuild(path, time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC), Range{1, 1}, replaceText); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{path + ".damaged-20261101T000000Z", path + ".damaged-20261122T000000Z", path + ".damaged-20261123T000000Z"}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("the damaged files are %q", names)
	}
}

func TestSalvageInUse(t *testing.T) {
	path := outbox(t)
	open(t, path)
	if _, err := Salvage(path, noon, 0, replaceText); !errors.Is(err, ErrInUse) {
		t.Errorf("salvaged an outbox in use: %v", err)
	}
}

// TestSalvageOfTheWhole salvages an undamaged file: nothing is lost.
func TestSalvageOfTheWhole(t *testing.T) {
	file, records := history(t, 600)
	path := outbox(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	// A number that may have been assigned is not lost, because the file's tail says
	// that it was not.
	assigned := records[len(records)-1].Sequence + 5
	salvaged, err := Salvage(path, noon, assigned, replaceText)
	if err != nil {
		t.Fatal(err)
	}
	if len(salvaged.Lost) != 0 || salvaged.Kept != len(records) || salvaged.DamagedFile != path+".damaged-20261122T120000Z" {
		t.Errorf("salvaged %+v of %d records", salvaged, len(records))
	}
	s := open(t, path)
	checkRecovered(t, s, salvaged, records)
}

// TestSalvageOfASmallRecord: bbolt stores a small record on its parent's page,
// in an inline bucket. Salvage finds it there too.
func TestSalvageOfASmallRecord(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	for _, text := range []string{"a", "b", strings.Repeat("c", 3000)} {
		add(t, s, text)
	}
	records := pending(t, s, 0, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	salvaged, err := Salvage(path, noon, 0, replaceText)
	if err != nil || len(salvaged.Lost) != 0 || salvaged.Kept != 3 {
		t.Fatalf("salvaged %+v, %v", salvaged, err)
	}
	checkRecovered(t, open(t, path), salvaged, records)
}

// TestReplacementKnowsThePlace: replace gets the previous record's link where
// that link is still known.
func TestReplacementKnowsThePlace(t *testing.T) {
	file, records := history(t, 3)
	path := outbox(t)
	for i := range records {
		damaged := bytes.Clone(file)
		at := bytes.Index(damaged, records[i].Data)
		for ; at >= 0; at = bytes.Index(damaged, records[i].Data) {
			damaged[at]++
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		var got []byte
		salvaged, err := Salvage(path, noon.Add(time.Duration(i)*time.Second), 0, func(seq uint64, lost Range, prev []byte) ([]byte, []byte, error) {
			got = prev
			return replaceText(seq, lost, prev)
		})
		if err != nil || !slices.Equal(salvaged.Lost, []Range{{records[i].Sequence, records[i].Sequence}}) {
			t.Fatalf("salvaged %+v, %v", salvaged, err)
		}
		var want []byte
		if i > 0 {
			link := sha256.Sum256(records[i-1].Data)
			want = link[:]
		}
		if !bytes.Equal(got, want) {
			t.Errorf("replacement of record %d follows %x, want %x", records[i].Sequence, got, want)
		}
	}
}
