package store

import (
	"fmt"
	"maps"

	bolt "go.etcd.io/bbolt"
)

// Cursor returns the newest record that a consumer has processed, 0 before the
// first.
func (s *Store) Cursor(consumer string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[consumer]
}

// Advance moves a consumer's cursor forward, never back. The cursor is written
// with the next commit, so a consumer may get the last records again after a
// crash. Advance fails if the record does not exist.
func (s *Store) Advance(consumer string, through uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if through > s.last.sequence {
		return fmt.Errorf("cannot move cursor %q to record %d: the newest is %d", consumer, through, s.last.sequence)
	}
	if through <= s.cursors[consumer] {
		return nil
	}
	s.cursors[consumer] = through
	s.unwritten = maps.Clone(s.unwritten)
	if s.unwritten == nil {
		s.unwritten = map[string]uint64{}
	}
	s.unwritten[consumer] = through
	return nil
}

func writeCursors(tx *bolt.Tx, cursors map[string]uint64) error {
	for name, at := range cursors {
		if err := tx.Bucket(cursorsBucket).Put([]byte(name), key(at)); err != nil {
			return err
		}
	}
	return nil
}

func readCursors(tx *bolt.Tx) (map[string]uint64, error) {
	cursors := map[string]uint64{}
	err := tx.Bucket(cursorsBucket).ForEach(func(name, at []byte) error {
		if len(at) != 8 {
			return fmt.Errorf("%w: cursor %q has %d bytes", ErrDamaged, name, len(at))
		}
		cursors[string(name)] = sequence(at)
		return nil
	})
	return cursors, err
}
