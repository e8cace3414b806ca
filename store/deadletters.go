package store

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// maxDeadLetters is how many records are kept aside at most.
const maxDeadLetters = 100

// Park puts another record in the place of one that nobody takes, and keeps
// that one aside: see Parked. standIn makes it, given the link of the record
// before (nil if that is not known any more) and the link that the record
// after it follows, which the place keeps. A record is parked once; the
// record must be pending, and there is room for 100.
func (s *Store) MoveToDeadLetters(seq uint64, standIn func(prev, link []byte) (record []byte, err error)) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.moveToDeadLetters(seq, standIn); err != nil {
		return fmt.Errorf("cannot park record %d: %w", seq, err)
	}
	return nil
}

func (s *Store) moveToDeadLetters(seq uint64, standIn func(prev, link []byte) ([]byte, error)) error {
	s.mu.Lock()
	last, acked, closed := s.last, s.acked, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case seq <= acked || seq > last.sequence:
		return errors.New("it is not pending")
	}
	s.uncheckedSpace = 0 // what is kept aside takes room too
	return s.update(last, func(tx *bolt.Tx) error {
		aside := tx.Bucket(deadLettersBucket)
		if aside.Get(deadLetterKey(seq)) != nil {
			return errors.New("it was parked before")
		}
		if aside.Stats().KeyN >= maxDeadLetters {
			return errors.New("too many are")
		}
		entry := bytes.Clone(getEntry(tx, seq))
		link, _, err := decodeEntry(seq, entry)
		if err != nil {
			return err
		}
		var prev []byte
		if before := getEntry(tx, seq-1); before != nil {
			if prev, _, err = decodeEntry(seq-1, before); err != nil {
				return err
			}
		}
		record, err := standIn(bytes.Clone(prev), bytes.Clone(link))
		if err != nil {
			return err
		}
		if len(record) > MaxRecordSize {
			return fmt.Errorf("record of %d bytes, more than %d", len(record), MaxRecordSize)
		}
		if err := tx.DeleteBucket(key(seq)); err != nil {
			return err
		}
		return errors.Join(
			aside.Put(deadLetterKey(seq), entry),
			putEntry(tx, seq, encodeEntry(seq, link, record)),
			writeTail(tx, last),
		)
	})
}

// Parked gives the records that were parked, in order.
func (s *Store) DeadLetters() (records []Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(deadLettersBucket).ForEach(func(k, entry []byte) error {
			_, record, err := decodeEntry(sequence(k[1:]), entry)
			records = append(records, Record{Sequence: sequence(k[1:]), Data: bytes.Clone(record)})
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read parked records: %w", err)
	}
	return records, nil
}

// deadLetterKey is told by its length from that of the record in its place.
func deadLetterKey(sequence uint64) []byte { return append([]byte("p"), key(sequence)...) }
