package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Records is a file of what a device keeps for itself: caches, counts, the
// newest time it has seen. None of it is anybody else's only copy, so it is
// apart from the outbox, whose records are: it may grow and be thrown away
// without them. Its methods may be called from any goroutine.
//
// A value is kept as digest (SHA-256 over bucket, key and value) | value.
type Records struct {
	database
	lock *os.File
	put  sync.Mutex // held by who updates the database
}

const (
	// MaxValueSize is the largest value in bytes.
	MaxValueSize = 1 << 20

	maxRecordsSize = 256 << 20
)

// At the top of the file stand buckets:
//
//	"records" → bucket NUL key → digest | value
//	"meta"    → see schemaKey
var recordsBucket = []byte("records")

// recordsMigrations are as migrations. Format 1 had no number.
var recordsMigrations = []func(tx *bolt.Tx) error{
	func(tx *bolt.Tx) error { _, err := tx.CreateBucket(recordsBucket); return err },
	func(tx *bolt.Tx) error { _, err := tx.CreateBucket(metaBucket); return err },
}

// OpenRecords opens the file at path, or makes an empty one. It fails with
// ErrInUse, within a second, when another process has it open, and with
// ErrDamaged when it is not whole: then see SetAside.
func OpenRecords(path string) (*Records, error) {
	r := &Records{database: database{path: path, maxSize: maxRecordsSize, check: checkRecords}}
	if err := r.open(); err != nil {
		_ = r.database.close()
		if r.lock != nil {
			_ = r.lock.Close()
		}
		return nil, fmt.Errorf("cannot open records %s: %w", path, err)
	}
	return r, nil
}

func (r *Records) open() (err error) {
	if r.lock, err = lockFile(r.path+".lock", lockWait); err != nil {
		return err
	}
	switch _, err := os.Stat(r.path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := createAs(r.path, fillRecords); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := r.database.open(); err != nil {
		return err
	}
	return fillRecords(r.db)
}

func fillRecords(db *bolt.DB) error { return migrate(db, recordsMigrations, 1) }

// checkRecords tells whether a file can be given to bbolt and holds what it
// was given. It reads all of the file that is in use.
func checkRecords(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	im, err := newImage(f)
	if err != nil {
		return err
	}
	roots, err := im.roots()
	if err != nil {
		return err
	}
	if len(roots) == 0 || roots[0].end > im.pages || roots[0].free != noFreelist {
		return fmt.Errorf("%w: it does not begin as it should, or is cut short", ErrDamaged)
	}
	w := walker{image: im, end: roots[0].end, seen: make([]bool, roots[0].end)}
	found := false
	err = w.tree(roots[0].page, nil, nil, func(e element) error {
		switch {
		case e.bucket && bytes.Equal(e.key, metaBucket):
			return w.bucket(e, func(e element) (err error) {
				if bytes.Equal(e.key, schemaKey) {
					_, err = decodeSchema(e.value)
				}
				return err
			})
		case e.bucket && bytes.Equal(e.key, recordsBucket):
			found = true
			return w.bucket(e, func(e element) error {
				_, err := decodeValue(e.key, e.value)
				return err
			})
		}
		return errNoRecords
	})
	if err == nil && !found {
		err = errNoRecords
	}
	return err
}

var errNoRecords = fmt.Errorf("%w: it is no file of records", ErrSchema)

// SetAside moves a damaged file out of the way, under a name with the date,
// and gives that name; of those of before it keeps the last two. What it held
// is lost to the device.
func MoveDamaged(path string, at time.Time) (aside string, err error) {
	aside = damagedName(path, at)
	if err := errors.Join(os.Rename(path, aside), removeOldDamaged(path, aside)); err != nil {
		return "", fmt.Errorf("cannot set records aside: %w", err)
	}
	return aside, nil
}

// Get gives the value of a key in a bucket, nil if there is none.
func (r *Records) Get(bucket, key string) (value []byte, err error) {
	err = r.view(func(tx *bolt.Tx) error {
		k := recordKey(bucket, key)
		v := tx.Bucket(recordsBucket).Get(k)
		if v == nil {
			return nil
		}
		v, err := decodeValue(k, v)
		value = bytes.Clone(v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read record %s/%s: %w", bucket, key, err)
	}
	return value, nil
}

// Each calls f with the keys of a bucket, ascending, and their values, which
// are f's for the call alone. f must not use r.
func (r *Records) Each(bucket string, f func(key string, value []byte) error) error {
	return r.view(func(tx *bolt.Tx) error {
		prefix := recordKey(bucket, "")
		c := tx.Bucket(recordsBucket).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			v, err := decodeValue(k, v)
			if err != nil {
				return fmt.Errorf("cannot read records %s: %w", bucket, err)
			}
			if err := f(string(k[len(prefix):]), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// Put writes values of a bucket, all or none, and returns when they are on
// disk. A nil value deletes its key. Names of buckets have no NUL.
func (r *Records) Put(bucket string, values map[string][]byte) error {
	r.put.Lock()
	defer r.put.Unlock()
	err := r.update(func(tx *bolt.Tx) error {
		b := tx.Bucket(recordsBucket)
		for key, value := range values {
			k := recordKey(bucket, key)
			if value == nil {
				if err := b.Delete(k); err != nil {
					return err
				}
				continue
			}
			if len(value) > MaxValueSize {
				return fmt.Errorf("value of %d bytes, more than %d", len(value), MaxValueSize)
			}
			if err := b.Put(k, encodeValue(k, value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot write records %s: %w", bucket, err)
	}
	return nil
}

// Close lets the file go.
func (r *Records) Close() error {
	if err := errors.Join(r.database.close(), r.lock.Close()); err != nil {
		return fmt.Errorf("cannot close records %s: %w", r.path, err)
	}
	return nil
}

func recordKey(bucket, key string) []byte { return []byte(strings.Join([]string{bucket, key}, "\x00")) }

func encodeValue(key, value []byte) []byte {
	sum := valueDigest(key, value)
	return append(sum[:], value...)
}

func decodeValue(key, entry []byte) ([]byte, error) {
	if len(entry) >= sha256.Size {
		if sum := valueDigest(key, entry[sha256.Size:]); bytes.Equal(sum[:], entry[:sha256.Size]) {
			return entry[sha256.Size:], nil
		}
	}
	return nil, fmt.Errorf("%w: record %q", ErrDamaged, key)
}

func valueDigest(key, value []byte) [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{key, value}, []byte{0}))
}
