package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The file's top-level buckets:
//
//	sequence, 8 bytes → a bucket with one key, the sequence again → entry
//	"cursors"         → consumer → sequence, 8 bytes
//	"meta"            → see schemaKey, tailKey
//	"parked"          → the dead letters, see deadLetterKey → entry
//
// A commit rewrites every page on the path from the root to the change. With a
// bucket of its own, a record has pages that are never written again. An
// append then writes those pages, the root page with the bucket and the tail,
// and a meta page: 16 KiB for a visit. In a shared bucket a record would be
// rewritten together with its neighbours at each append. From about 80 kept
// records the root has child pages, and an append writes one page more.
var (
	metaBucket        = []byte("meta")
	cursorsBucket     = []byte("cursors")
	deadLettersBucket = []byte("parked")
	eventsBucket      = []byte("events") // of format 1: sequence → entry

	schemaKey = []byte("schema") // see encodeSchema
	tailKey   = []byte("tail")   // see encodeTail
)

// migrations[n] converts a file of format n to format n+1. An empty file has
// format 0.
var migrations = []func(tx *bolt.Tx) error{
	func(tx *bolt.Tx) error {
		for _, name := range [][]byte{eventsBucket, metaBucket, cursorsBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return writeTail(tx, tail{first: 1, epoch: Epoch{First: 1}})
	},
	func(tx *bolt.Tx) error {
		err := tx.Bucket(eventsBucket).ForEach(func(k, entry []byte) error {
			return putEntry(tx, sequence(k), bytes.Clone(entry))
		})
		if err != nil {
			return err
		}
		if err := tx.DeleteBucket(eventsBucket); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(deadLettersBucket); err != nil {
			return err
		}
		t, err := readTail(tx)
		if err != nil {
			return err
		}
		return writeTail(tx, t) // format 1 had no acked in the tail
	},
	func(tx *bolt.Tx) error {
		t, err := readTail(tx)
		if err != nil {
			return err
		}
		return writeTail(tx, t) // format 2 had no epoch in the tail
	},
}

// migrate brings a file to the newest format, in one commit or not at all. A
// file without a format number is taken for format unnumbered; if that is 0,
// migrate fails.
func migrate(db *bolt.DB, steps []func(tx *bolt.Tx) error, unnumbered uint64) error {
	have, err := formatOf(db, unnumbered)
	if err != nil {
		return err
	}
	if have > uint64(len(steps)) {
		return fmt.Errorf("%w: format %d, the newest known is %d", ErrSchema, have, len(steps))
	}
	if have == uint64(len(steps)) {
		return nil
	}
	return db.Update(func(tx *bolt.Tx) error {
		for i, step := range steps[have:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("cannot migrate to format %d: %w", have+uint64(i)+1, err)
			}
		}
		return tx.Bucket(metaBucket).Put(schemaKey, encodeSchema(uint64(len(steps))))
	})
}

// formatOf returns the format of a file, 0 for an empty one. See migrate.
func formatOf(db *bolt.DB, unnumbered uint64) (have uint64, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil && unnumbered == 0 {
			return fmt.Errorf("%w: it is not an outbox", ErrSchema)
		}
		if meta == nil {
			have = unnumbered
			return nil
		}
		have, err = decodeSchema(meta.Get(schemaKey))
		return err
	})
	return have, err
}

// encodeSchema returns a format number and an entry whose record is schemaKey.
// The entry's digest covers the number, so that a damaged number is not taken
// for a newer format. Format 1 had only the number.
func encodeSchema(format uint64) []byte {
	return append(key(format), encodeEntry(format, make([]byte, LinkSize), schemaKey)...)
}

func decodeSchema(b []byte) (format uint64, err error) {
	bad := fmt.Errorf("%w: invalid format number", ErrDamaged)
	if len(b) < 8 {
		return 0, bad
	}
	format = binary.BigEndian.Uint64(b)
	if len(b) == 8 && format == 1 {
		return format, nil
	}
	if _, record, err := decodeEntry(format, b[8:]); err != nil || !bytes.Equal(record, schemaKey) {
		return 0, bad
	}
	return format, nil
}

// putEntry adds a record. It fails if the sequence number is in the file.
func putEntry(tx *bolt.Tx, sequence uint64, entry []byte) error {
	b, err := tx.CreateBucket(key(sequence))
	if err != nil {
		return err
	}
	return b.Put(key(sequence), entry)
}

// getEntry returns the entry of a record, or nil if it is not in the file.
func getEntry(tx *bolt.Tx, sequence uint64) []byte {
	b := tx.Bucket(key(sequence))
	if b == nil {
		return nil
	}
	return b.Get(key(sequence))
}

// deleteRange deletes records, both ends included. A record may be missing,
// because a failed commit can reach the disk all the same.
func deleteRange(tx *bolt.Tx, from, through uint64) error {
	for ; from <= through; from++ {
		if err := tx.DeleteBucket(key(from)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
	}
	return nil
}

// deleteAfter deletes all records with sequence numbers above last.
func deleteAfter(tx *bolt.Tx, last uint64) error {
	for c := tx.Cursor(); ; {
		k, _ := c.Seek(key(last + 1))
		if len(k) != 8 {
			return nil
		}
		if err := tx.DeleteBucket(k); err != nil {
			return err
		}
	}
}
