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

// Records is a file of the device's own data: caches, counters, the newest time
// that it has seen. It can be thrown away, unlike the outbox, which may hold
// the only copy of a record. Therefore they are separate files. The methods of
// Records may be called from any goroutine.
//
// A value is stored as digest (SHA-256 over bucket, key and value) | value.
type Records struct {
	database
	lock *os.File
	put  sync.Mutex // held during updates of the database
}

const (
	// MaxValueSize is the size of the largest value, in bytes.
	MaxValueSize = 1 << 20

	maxRecordsSize = 256 << 20

	// In the last part of the file, recordsReserve, Put refuses values that together
	// have more than smallValues bytes. So counters can still be written and large
	// values deleted.
	recordsReserve = 32 << 20
	smallValues    = 64 << 10
)

// The file's top-level buckets:
//
//	"records" → bucket NUL key → digest | value
//	"meta"    → see schemaKey
var recordsBucket = []byte("records")

// recordsMigrations is like migrations. Format 1 had no format number.
var recordsMigrations = []func(tx *bolt.Tx) error{
	func(tx *bolt.Tx) error { _, err := tx.CreateBucket(recordsBucket); return err },
	func(tx *bolt.Tx) error { _, err := tx.CreateBucket(metaBucket); return err },
}

// OpenRecords opens the file at path and creates it if it does not exist. It
// fails with ErrInUse, within a second, when another process has the file open,
// and with ErrDamaged when it is damaged. MoveDamaged makes way for a new file.
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
	if err := removeFresh(r.path); err != nil {
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

// checkRecords fails if bbolt must not open a file, or if a value is damaged. It
// reads all pages in use.
func checkRecords(path string) error {
	f, im, roots, err := openImage(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(roots) == 0 || roots[0].end > im.pages || roots[0].free != noFreelist {
		return fmt.Errorf("%w: its meta pages are invalid or its end is missing", ErrDamaged)
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

var errNoRecords = fmt.Errorf("%w: it is not a file of records", ErrSchema)

// MoveDamaged renames a damaged file to a name with the date and returns that
// name. It keeps two older damaged files. The device loses the file's data.
func MoveDamaged(path string, at time.Time) (damagedPath string, err error) {
	damagedPath = damagedName(path, at)
	if err := errors.Join(os.Rename(path, damagedPath), removeOldDamaged(path, damagedPath)); err != nil {
		return "", fmt.Errorf("cannot move damaged records %s: %w", path, err)
	}
	return damagedPath, nil
}

// Get returns the value of a key in a bucket, or nil if the key is missing.
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

// Each calls f with each key of a bucket, ascending, and its value. The value
// is valid only during the call. f must not use r.
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

// Put writes all values or none to a bucket, and returns when they are on disk.
// A nil value deletes its key. A bucket's name must not contain NUL.
func (r *Records) Put(bucket string, values map[string][]byte) error {
	r.put.Lock()
	defer r.put.Unlock()
	size := 0
	for _, value := range values {
		size += len(value)
	}
	err := r.update(func(tx *bolt.Tx) error {
		stats := r.db.Stats()
		free := int64(stats.FreePageN+stats.PendingPageN) * pageSize
		if size > smallValues && tx.Size()-free+int64(size) > int64(r.maxSize-recordsReserve) {
			return ErrFull
		}
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
				return fmt.Errorf("the value of %q has %d bytes, more than %d", key, len(value), MaxValueSize)
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

// Close closes the file.
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
