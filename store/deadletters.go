package store

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// MoveToDeadLetters moves a pending record that its receiver refuses to the
// dead letters and puts a stand-in in its place. standIn returns the stand-in.
// It gets the previous record's link (nil if that record was deleted) and the
// record, whose link stays in place because the next record refers to it.
// MoveToDeadLetters fails if the record is not pending, or if it was moved
// before. Only the size of the outbox bounds the number of dead letters.
func (s *Store) MoveToDeadLetters(seq uint64, standIn func(prev []byte, refused Record) (record []byte, err error)) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.moveToDeadLetters(seq, standIn); err != nil {
		return fmt.Errorf("cannot move record %d to the dead letters: %w", seq, err)
	}
	return nil
}

func (s *Store) moveToDeadLetters(seq uint64, standIn func(prev []byte, refused Record) ([]byte, error)) error {
	s.mu.Lock()
	last, acked, closed := s.last, s.acked, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case seq <= acked || seq > last.sequence:
		return errors.New("the record is not pending")
	}
	s.uncheckedSpace = 0 // the dead letter takes space too
	return s.update(last, func(tx *bolt.Tx) error {
		letters := tx.Bucket(deadLettersBucket)
		if letters.Get(deadLetterKey(seq)) != nil {
			return errors.New("the record was moved before")
		}
		entry := bytes.Clone(getEntry(tx, seq))
		link, refused, err := decodeEntry(seq, entry)
		if err != nil {
			return err
		}
		var prev []byte
		if before := getEntry(tx, seq-1); before != nil {
			var record []byte
			if prev, record, err = decodeEntry(seq-1, before); err != nil {
				return err
			}
			if len(record) == 0 {
				prev = nil // the record was lost
			}
		}
		record, err := standIn(bytes.Clone(prev), Record{Sequence: seq, Link: bytes.Clone(link), Data: bytes.Clone(refused)})
		if err != nil {
			return err
		}
		if len(record) > MaxRecordSize {
			return fmt.Errorf("the stand-in has %d bytes, more than %d", len(record), MaxRecordSize)
		}
		if err := tx.DeleteBucket(key(seq)); err != nil {
			return err
		}
		return errors.Join(
			letters.Put(deadLetterKey(seq), entry),
			putEntry(tx, seq, encodeEntry(seq, link, record)),
			writeTail(tx, last),
		)
	})
}

// DeadLetters returns the records that were moved to the dead letters, in order.
func (s *Store) DeadLetters() (records []Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(deadLettersBucket).ForEach(func(k, entry []byte) error {
			link, record, err := decodeEntry(sequence(k[1:]), entry)
			records = append(records, Record{Sequence: sequence(k[1:]), Link: bytes.Clone(link), Data: bytes.Clone(record)})
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read dead letters: %w", err)
	}
	return records, nil
}

// deadLetterKey is one byte longer than the key of the stand-in, so that
// Salvage can distinguish them.
func deadLetterKey(sequence uint64) []byte { return append([]byte("p"), key(sequence)...) }
