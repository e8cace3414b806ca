package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// At the top of the file stand buckets:
//
//	sequence, 8 bytes → a bucket with one key, the sequence again → entry
//	"cursors"         → consumer → sequence, 8 bytes
//	"meta"            → see schemaKey, tailKey
//	"parked"          → see deadLetterKey → entry
//
// A commit writes anew every page on the way from the top to what it changes.
// A bucket of its own gives a record pages of its own, which are never written
// again; beside them an append writes the one page at the top where its bucket
// and the tail stand, and a meta page. That is 16 KiB for a visit, where a
// record among others would be written anew with its neighbours each time one
// is added. When some 80 records are kept, the top has pages below it, and an
// append writes one page more.
var (
	metaBucket        = []byte("meta")
	cursorsBucket     = []byte("cursors")
	deadLettersBucket = []byte("parked")
	eventsBucket      = []byte("events") // of format 1: sequence → entry

	schemaKey = []byte("schema") // see encodeSchema
	tailKey   = []byte("tail")   // see encodeTail
)

// migrations make a file of one format into one of the next. A file is of
// format n when the first n were applied; an empty one is of format 0.
var migrations = []func(tx *bolt.Tx) error{
	func(tx *bolt.Tx) error {
		for _, name := range [][]byte{eventsBucket, metaBucket, cursorsBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return writeTail(tx, tail{first: 1})
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
		return writeTail(tx, t) // with what was acknowledged in it
	},
}

// migrate brings a file to the newest format, in one commit or not at all. One
// without a number is of the format unnumbered; 0: of no format.
func migrate(db *bolt.DB, steps []func(tx *bolt.Tx) error, unnumbered uint64) error {
	var have uint64
	err := db.View(func(tx *bolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil && unnumbered == 0 {
			return fmt.Errorf("%w: it is no outbox", ErrSchema)
		}
		if meta == nil {
			have = unnumbered
			return nil
		}
		var err error
		have, err = decodeSchema(meta.Get(schemaKey))
		return err
	})
	if err != nil {
		return err
	}
	if have > uint64(len(steps)) {
		return fmt.Errorf("%w: format %d, newest known %d", ErrSchema, have, len(steps))
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

// encodeSchema gives the number of a format, followed by an entry that would
// hold the key as its record: a number that changed by itself must not pass
// for that of a newer program. Format 1 had the number alone.
func encodeSchema(format uint64) []byte {
	return append(key(format), encodeEntry(format, make([]byte, LinkSize), schemaKey)...)
}

func decodeSchema(b []byte) (format uint64, err error) {
	if len(b) < 8 {
		return 0, fmt.Errorf("%w: number of its format", ErrDamaged)
	}
	format = binary.BigEndian.Uint64(b)
	if len(b) == 8 && format == 1 {
		return format, nil
	}
	if _, is, err := decodeEntry(format, b[8:]); err != nil || !bytes.Equal(is, schemaKey) {
		return 0, fmt.Errorf("%w: number of its format", ErrDamaged)
	}
	return format, nil
}

// putEntry adds a record, which must be there no more.
func putEntry(tx *bolt.Tx, sequence uint64, entry []byte) error {
	b, err := tx.CreateBucket(key(sequence))
	if err != nil {
		return err
	}
	return b.Put(key(sequence), entry)
}

// getEntry gives the entry of a record, nil if there is none.
func getEntry(tx *bolt.Tx, sequence uint64) []byte {
	b := tx.Bucket(key(sequence))
	if b == nil {
		return nil
	}
	return b.Get(key(sequence))
}

// deleteRange deletes records, both ends included. A commit that failed may
// have done it all the same.
func deleteRange(tx *bolt.Tx, from, through uint64) error {
	for ; from <= through; from++ {
		if err := tx.DeleteBucket(key(from)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
	}
	return nil
}

// deleteAfter deletes all records that follow one.
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
