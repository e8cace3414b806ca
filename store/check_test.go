package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestCheckNamesWhatIsWrong changes one fact at a time in an undamaged file.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	sound, records := history(t, 3)
	change := func(f func(tx *bolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := openBolt(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*testing.T, string)
		want   string
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"record missing", change(func(tx *bolt.Tx) error { return tx.DeleteBucket(key(14)) }),
			"file is damaged: record 14 is in the wrong place"},
		{"newest record missing", change(func(tx *bolt.Tx) error { return tx.DeleteBucket(key(15)) }),
			"file is damaged: records 15 to 15 are missing"},
		{"record under another number", change(func(tx *bolt.Tx) error {
			return tx.Bucket(key(14)).Put(key(14), bytes.Clone(getEntry(tx, 13)))
		}), "file is damaged: record 14"},
		{"record with a wrong key", change(func(tx *bolt.Tx) error { return tx.Bucket(key(15)).Put([]byte("x"), nil) }),
			"file is damaged: record 15 is in the wrong place"},
		{"bucket missing", change(func(tx *bolt.Tx) error { return tx.DeleteBucket(cursorsBucket) }),
			"file is damaged: a bucket is missing: cursors"},
		{"bucket within", change(func(tx *bolt.Tx) error {
			_, err := tx.Bucket(cursorsBucket).CreateBucket([]byte("x"))
			return err
		}), `file is damaged: bucket "cursors" holds another bucket`},
		{"tail altered", change(func(tx *bolt.Tx) error {
			b := bytes.Clone(tx.Bucket(metaBucket).Get(tailKey))
			b[7]++
			return tx.Bucket(metaBucket).Put(tailKey, b)
		}), "file is damaged: tail"},
		{"no outbox", func(t *testing.T, path string) {
			db, err := openFresh(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("other")); return err }); err != nil {
				t.Fatal(err)
			}
		}, ErrSchema.Error() + ": it is not an outbox"},
		{"written by another program", func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: pageSize})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrSchema.Error() + ": another program wrote to it"},
	} {
		path := outbox(t)
		if err := os.WriteFile(path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
		tt.change(t, path)
		var got string
		if err := check(path); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if len(records) != 3 {
		t.Errorf("%d records wait", len(records))
	}
}

// FuzzCheck: bbolt must be able to open each file that passes check. A file that
// does not pass must not make Salvage panic.
func FuzzCheck(f *testing.F) {
	file, _ := history(f, 3)
	roots, err := image{file: bytes.NewReader(file), pages: 2}.roots()
	if err != nil {
		f.Fatal(err)
	}
	end := roots[0].end
	file = file[:end*pageSize] // less for the fuzzer to waste its time on
	for page := range end {
		f.Add(uint16(page*pageSize), []byte{1, 2, 3, 4})
	}
	f.Fuzz(func(t *testing.T, at uint16, change []byte) {
		damaged := append(bytes.Clone(file), make([]byte, growStep)...)
		copy(damaged[min(int(at), len(file)):], change)
		path := filepath.Join(t.TempDir(), "outbox.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		switch {
		case err == nil:
			if n := len(pending(t, s, 0, 10)); n != s.Len() {
				t.Errorf("%d of %d records", n, s.Len())
			}
			_ = s.Close()
		case errors.Is(err, ErrDamaged):
			if _, err := Salvage(path, noon); err != nil && !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
		case !errors.Is(err, ErrSchema):
			t.Error(err)
		}
	})
}
