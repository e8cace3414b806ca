package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// The buckets of the file.
var (
	eventsBucket  = []byte("events")  // sequence → entry
	metaBucket    = []byte("meta")    // see below
	cursorsBucket = []byte("cursors") // consumer → sequence

	schemaKey = []byte("schema") // number of the file's format
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
}

// migrate brings a file to the newest format, in one commit or not at all.
func migrate(db *bolt.DB, steps []func(tx *bolt.Tx) error) error {
	var have uint64
	err := db.View(func(tx *bolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return fmt.Errorf("%w: it is no outbox", ErrSchema)
		}
		v := meta.Get(schemaKey)
		if len(v) != 8 {
			return fmt.Errorf("%w: it has no number", ErrSchema)
		}
		have = binary.BigEndian.Uint64(v)
		return nil
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
		return tx.Bucket(metaBucket).Put(schemaKey, binary.BigEndian.AppendUint64(nil, uint64(len(steps))))
	})
}
