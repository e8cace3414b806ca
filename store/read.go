package store

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// maxDeletable is how many acknowledged records stay on disk at most. Up to
// there their deletion waits for the next append's commit, to spare the disk a
// commit of its own; a crash before brings them back.
const maxDeletable = 128

// Pending gives up to limit records after a sequence number, in order, that were
// not acknowledged. It fails with ErrDamaged at a damaged record, once it is
// the first to be given.
func (s *Store) Pending(after uint64, limit int) ([]Record, error) {
	s.mu.Lock()
	last, acked, closed := s.last.sequence, s.acked, s.closed
	s.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("cannot read outbox: %w", ErrClosed)
	}
	after = min(max(after, acked), last)
	var records []Record
	err := s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(eventsBucket).Cursor()
		for k, v := c.Seek(key(after + 1)); k != nil && len(records) < limit && sequence(k) <= last; k, v = c.Next() {
			_, record, err := decodeEntry(sequence(k), v)
			if err != nil {
				if len(records) > 0 {
					return nil
				}
				return err
			}
			records = append(records, Record{Sequence: sequence(k), Data: bytes.Clone(record)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read outbox: %w", err)
	}
	return records, nil
}

// Ack says that all records through a sequence number were handed over: they
// are deleted, and Pending gives them no more. It fails when it is told of a
// record that there is not. After a crash the last of them may be pending
// again, so who takes them over must know one that comes twice.
func (s *Store) Ack(through uint64) error {
	s.mu.Lock()
	if through > s.last.sequence {
		defer s.mu.Unlock()
		return fmt.Errorf("cannot acknowledge record %d: the newest is %d", through, s.last.sequence)
	}
	s.acked = max(s.acked, through)
	waiting := s.acked + 1 - s.last.first
	s.mu.Unlock()
	if waiting <= maxDeletable {
		return nil
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.flush(); err != nil {
		return fmt.Errorf("cannot delete acknowledged records: %w", err)
	}
	return nil
}

// flush deletes what was acknowledged. The caller holds s.commit.
func (s *Store) flush() error {
	s.mu.Lock()
	last, acked := s.last, s.acked
	s.mu.Unlock()
	first := last.first
	if last.first = acked + 1; first == last.first {
		return nil
	}
	err := s.update(last.sequence, func(tx *bolt.Tx) error {
		if err := deleteRange(tx.Bucket(eventsBucket), first, acked); err != nil {
			return err
		}
		return writeTail(tx, last)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = last
	return nil
}

// Len is the number of records that were not acknowledged.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.last.sequence - s.acked)
}

// Sequence is the number of the newest record, 0 before the first.
func (s *Store) Sequence() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.sequence
}

// Changed gives a channel that is closed at the next append. Who waits for
// records takes the channel first, then looks with Pending.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// notify wakes who waits on Changed. The caller holds s.mu.
func (s *Store) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
