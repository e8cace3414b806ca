package store

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestInUse(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	began := time.Now()
	_, err := Open(path, Options{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("second open: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("second open was refused after %v", took)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestInUseByAnother opens an outbox while a program holds only bbolt's lock.
func TestInUseByAnother(t *testing.T) {
	path := outbox(t)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openBolt(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("open of a locked database: %v", err)
	}
}

// TestCreationCutShort: a file that a power cut left during creation is removed
// and not used.
func TestCreationCutShort(t *testing.T) {
	path := outbox(t)
	if err := os.WriteFile(path+".new", []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, open(t, path), "a")
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half file is still there: %v", err)
	}
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	path := outbox(t)
	open(t, path)
	for _, p := range []string{path, path + ".lock"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	edit := func(f func(meta *bolt.Bucket) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			db, err := openBolt(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket(metaBucket)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name string
		make func(*testing.T, string)
		want error
	}{
		{"empty file", write(nil), ErrDamaged},
		{"text", write([]byte("outbox")), ErrDamaged},
		{"zeros", write(make([]byte, 32<<10)), ErrDamaged},
		{"newer format", edit(func(meta *bolt.Bucket) error {
			return meta.Put(schemaKey, encodeSchema(uint64(len(migrations)+1)))
		}), ErrSchema},
		{"no format", edit(func(meta *bolt.Bucket) error { return meta.Put(schemaKey, nil) }), ErrDamaged},
		{"flipped format", edit(func(meta *bolt.Bucket) error {
			return meta.Put(schemaKey, append(key(uint64(len(migrations)+1)), encodeSchema(uint64(len(migrations)))[8:]...))
		}), ErrDamaged},
		{"no tail", edit(func(meta *bolt.Bucket) error { return meta.Delete(tailKey) }), ErrDamaged},
		{"short tail", edit(func(meta *bolt.Bucket) error { return meta.Put(tailKey, key(3)) }), ErrDamaged},
		{"another program's", func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: pageSize})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("other")); return err })
			if err != nil {
				t.Fatal(err)
			}
		}, ErrSchema},
		{"no folder", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, os.ErrNotExist},
	} {
		path := outbox(t)
		tt.make(t, path)
		_, err := Open(path, Options{})
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := Open(outbox(t), Options{MaxSize: MinMaxSize - 1}); err == nil {
		t.Error("Open accepted a MaxSize that is too small")
	}
}

// TestMigration brings a file to the newest format in one commit or changes
// nothing.
func TestMigration(t *testing.T) {
	path := outbox(t)
	s := open(t, path)
	add(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openBolt(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wrong := errors.New("wrong")
	steps := append(migrations[:len(migrations):len(migrations)],
		func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("next")); return err },
		func(tx *bolt.Tx) error { return wrong })
	if err := migrate(db, steps, 0); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if err := migrate(db, steps[:len(migrations)+1], 0); err != nil {
		t.Fatal(err)
	}
	if err := migrate(db, steps[:len(migrations)+1], 0); err != nil { // nothing is done twice
		t.Fatal(err)
	}
	if err := migrate(db, migrations, 0); !errors.Is(err, ErrSchema) {
		t.Errorf("an older program on a newer file: %v", err)
	}
}

// TestFormat1 opens a file of this package's first version with records 1 and 2
// acknowledged, 3 and 4 pending.
func TestFormat1(t *testing.T) {
	file, err := os.ReadFile("testdata/format1.db")
	if err != nil {
		t.Fatal(err)
	}
	path := outbox(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	link := sha256.Sum256([]byte("2 000db78b53a189b4b8a28930a39cb0f5bfeb3f3fa41d3c3948f9b7ccc46c3059 b"))
	checkChain(t, pending(t, s, 0, 10), 3, link[:])
	if seq := add(t, s, "e"); s.Len() != 3 || seq != 5 {
		t.Errorf("%d records pending, the newest is %d", s.Len(), seq)
	}
}

// TestCannotCreate: neither kind of file opens if it cannot be created.
func TestCannotCreate(t *testing.T) {
	path := outbox(t)
	if err := os.MkdirAll(filepath.Join(path+".new", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("opened an outbox: %v", err)
	}
	if _, err := OpenRecords(path); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("opened records: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}
