package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func keepRecords(t *testing.T, path string) *Records {
	t.Helper()
	r, err := OpenRecords(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestRecordsFormat1 opens a file of this package's first version, which had no
// format number. After the migration the first version refuses the file.
func TestRecordsFormat1(t *testing.T) {
	file, err := os.ReadFile("testdata/records1.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "records.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := keepRecords(t, path)
		for _, want := range [][3]string{{"clock", "newest", "a"}, {"cards", "1", ""}, {"cards", "2", "c"}} {
			if v, err := r.Get(want[0], want[1]); string(v) != want[2] || err != nil {
				t.Errorf("%v: %q, %v", want, v, err)
			}
		}
		if err := migrate(r.db, recordsMigrations[:1], 1); !errors.Is(err, ErrSchema) {
			t.Errorf("an older program on a newer file: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := openBolt(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket).Put(schemaKey, encodeSchema(uint64(len(recordsMigrations)+1)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRecords(path); !errors.Is(err, ErrSchema) {
		t.Errorf("a newer file: %v", err)
	}
}

// TestRecordsAnyPageOverwritten damages each page in turn: the values are as
// they were put, or the file counts as damaged, and no program crashes. Without
// one of the two meta pages the values are those before the last write, as after
// a power cut during that write.
func TestRecordsAnyPageOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	r := keepRecords(t, path)
	before, want := map[string][]byte{}, map[string][]byte{}
	for i := range 30 {
		before[fmt.Sprint(i)] = fmt.Append(nil, i)
		want[fmt.Sprint(i)] = bytes.Repeat([]byte{byte(i)}, i*100)
	}
	if err := errors.Join(r.Put("a", before), r.Put("a", want), r.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for at := 0; at < len(file); at += pageSize {
		for _, fill := range []string{"zeros", "ones", "noise", "another page", "a flipped bit"} {
			changed := bytes.Clone(file)
			overwrite(changed, at, fill)
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := OpenRecords(path)
			if errors.Is(err, ErrDamaged) || errors.Is(err, ErrSchema) {
				damaged++
				continue
			}
			if err != nil {
				t.Fatalf("page %d overwritten with %s: %v", at/pageSize, fill, err)
			}
			got := map[string][]byte{}
			if err := r.Each("a", func(k string, v []byte) error { got[k] = bytes.Clone(v); return nil }); err != nil {
				t.Fatal(err)
			}
			older := at < 2*pageSize && maps.EqualFunc(got, before, bytes.Equal)
			if !older && !maps.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("page %d overwritten with %s: the records are %q", at/pageSize, fill, got)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if damaged < 20 {
		t.Errorf("%d times the file was damaged", damaged)
	}
}
