package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

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
		if salvaged, err = Salvage(path, noon); err != nil {
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
// be there, or be reported as lost.
func checkRecovered(t testing.TB, s *Store, salvaged Salvaged, records []Record) (lost int) {
	t.Helper()
	first, newest := records[0].Sequence, records[len(records)-1].Sequence
	if s.Sequence() != newest {
		t.Fatalf("newest record is %d, was %d", s.Sequence(), newest)
	}
	got := map[uint64][]byte{}
	for _, r := range pending(t, s, first-1, len(records)+1) {
		got[r.Sequence] = r.Data
	}
	for _, want := range records {
		there := got[want.Sequence]
		switch {
		case bytes.Equal(there, want.Data):
		case slices.Contains(numbers(salvaged.Lost), want.Sequence) && there == nil:
			lost++
		default:
			t.Fatalf("record %d is %.40q", want.Sequence, there)
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
// record is found, is reported as lost, or may be one of those after the newest that
// was found.
func TestCutShort(t *testing.T) {
	file, records := history(t, 20)
	newest := records[len(records)-1].Sequence
	unclear, kept := 0, 0
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
		salvaged, err := Salvage(path, noon)
		if err != nil {
			t.Fatal(err)
		}
		kept += salvaged.Kept
		s = open(t, path)
		if s.Sequence() < newest {
			unclear++
			if !salvaged.TailLost {
				t.Errorf("cut to %d bytes: newest is %d, and certain", n, s.Sequence())
			}
		}
		got, lost := map[uint64]string{}, numbers(salvaged.Lost)
		for _, r := range pending(t, s, 0, 100) {
			got[r.Sequence] = string(r.Data)
		}
		for _, r := range records {
			if r.Sequence <= s.Sequence() && got[r.Sequence] != string(r.Data) && !slices.Contains(lost, r.Sequence) &&
				r.Sequence >= s.Position().First {
				t.Errorf("cut to %d bytes: record %d is %.40q", n, r.Sequence, got[r.Sequence])
			}
		}
		_ = s.Close()
	}
	if unclear < 15 || kept < 100 {
		t.Errorf("%d times it was unclear which was the newest; %d records were kept", unclear, kept)
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

// TestNothingToSalvage: the new outbox of a file that is missing or has nothing to
// salvage is empty, and the damaged file is kept.
func TestNothingToSalvage(t *testing.T) {
	path := outbox(t)
	garbage := bytes.Repeat([]byte("garbage!"), 4096)
	for _, want := range []string{path + ".damaged-20261122T120000Z", path + ".damaged-20261122T120000Z-2", ""} {
		err := os.WriteFile(path, garbage, 0o600)
		if want == "" {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		salvaged, err := Salvage(path, noon)
		if err != nil || salvaged.DamagedFile != want || salvaged.Kept != 0 || len(salvaged.Lost) != 0 || !salvaged.TailLost {
			t.Fatalf("salvaged %+v, %v, want %s", salvaged, err, want)
		}
		if b, err := os.ReadFile(want); want != "" && (err != nil || !bytes.Equal(b, garbage)) {
			t.Errorf("the damaged file was changed (%v)", err)
		}
		s := openWith(t, path, Options{})
		expectPosition(t, s, Position{First: 1})
		if begin(t, s, "e1") != 1 {
			t.Error("the first record is not 1")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
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
		if _, err := Salvage(path, time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)); err != nil {
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
	if _, err := Salvage(path, noon); !errors.Is(err, ErrInUse) {
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
	salvaged, err := Salvage(path, noon)
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
	salvaged, err := Salvage(path, noon)
	if err != nil || len(salvaged.Lost) != 0 || salvaged.Kept != 3 {
		t.Fatalf("salvaged %+v, %v", salvaged, err)
	}
	checkRecovered(t, open(t, path), salvaged, records)
}
