package store

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// maxUnwritten is how many acknowledgements may be unwritten. They are written
// with the next append, so that they need no commit of their own. A crash
// loses the unwritten ones.
const maxUnwritten = 128

// Pending returns up to limit unacknowledged records after a sequence number,
// in order. It stops before a damaged record, and fails with ErrDamaged when
// the first record is damaged. It skips empty records, which Salvage puts in the
// places of lost ones.
func (s *Store) Pending(after uint64, limit int) ([]Record, error) {
	return s.Records(max(after, s.Position().Acked), limit)
}

// Records is like Pending but includes the acknowledged records that are kept.
func (s *Store) Records(after uint64, limit int) ([]Record, error) {
	s.mu.Lock()
	last, closed := s.last, s.closed
	s.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("cannot read outbox: %w", ErrClosed)
	}
	after = min(max(after, last.first-1), last.sequence)
	var records []Record
	err := s.view(func(tx *bolt.Tx) error {
		c := tx.Cursor()
		for k, _ := c.Seek(key(after + 1)); len(k) == 8 && len(records) < limit && sequence(k) <= last.sequence; k, _ = c.Next() {
			link, record, err := decodeEntry(sequence(k), tx.Bucket(k).Get(k))
			if err != nil {
				if len(records) > 0 {
					return nil
				}
				return err
			}
			if len(record) == 0 {
				continue
			}
			records = append(records, Record{Sequence: sequence(k), Link: bytes.Clone(link), Data: bytes.Clone(record)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read outbox: %w", err)
	}
	if s.touchedPages.Add(int32(len(records))) > releaseAfterPages {
		s.touchedPages.Store(0)
		_ = s.view(func(tx *bolt.Tx) error { releaseMapping(s.db, tx.Size()); return nil })
	}
	return records, nil
}

// Ack acknowledges all records through a sequence number. Pending no longer
// returns them, and all but the newest Options.Keep are deleted. Ack fails if
// the record does not exist. After a crash the last acknowledged records may be
// pending again, so the receiver must recognize a record that comes twice.
func (s *Store) Ack(through uint64) error {
	s.mu.Lock()
	if through > s.last.sequence {
		defer s.mu.Unlock()
		return fmt.Errorf("cannot acknowledge record %d: the newest is %d", through, s.last.sequence)
	}
	s.acked = max(s.acked, through)
	unwritten := s.acked - min(s.acked, s.last.acked)
	s.mu.Unlock()
	if unwritten <= maxUnwritten {
		return nil
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.flush(s.keep); err != nil {
		return fmt.Errorf("cannot delete acknowledged records: %w", err)
	}
	return nil
}

// Unack makes the records after a sequence number pending again, as far as they are
// kept, because the receiver has lost them. It returns when that is on disk, so that
// the records are not deleted.
func (s *Store) Unack(after uint64) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	s.acked = min(s.acked, max(after, s.last.first-1))
	s.mu.Unlock()
	if err := s.flush(s.keep); err != nil {
		return fmt.Errorf("cannot make acknowledged records pending again: %w", err)
	}
	return nil
}

// deletable returns the newest record that may be deleted in one commit if keep
// acknowledged records stay. The caller holds s.mu.
func (s *Store) deletable(keep uint64) uint64 {
	through := s.acked
	for _, name := range s.required {
		through = min(through, s.cursors[name])
	}
	through -= min(through, keep)
	return min(through, s.last.first-1+deletedAtOnce)
}

// flush writes acknowledgements and cursors, and deletes acknowledged records
// except for the newest keep. The caller holds s.commit.
func (s *Store) flush(keep uint64) error {
	s.mu.Lock()
	next, cursors := s.next(keep), s.unwritten
	first, written := s.last.first, s.last.acked
	s.mu.Unlock()
	if next.first == first && next.acked == written && len(cursors) == 0 {
		return nil
	}
	return s.write(next, cursors, nil)
}

// next returns the tail of the next commit, without the records that the commit
// appends. The caller holds s.mu.
func (s *Store) next(keep uint64) tail {
	t := s.last
	t.acked = s.acked
	t.first = max(t.first, s.deletable(keep)+1)
	return t
}

// Len returns the number of unacknowledged records.
func (s *Store) Len() int {
	p := s.Position()
	return int(p.Last - p.Acked)
}

// Sequence returns the number of the newest record, 0 before the first.
func (s *Store) Sequence() uint64 { return s.Position().Last }

// Epoch returns the current epoch.
func (s *Store) Epoch() Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.epoch
}

// Position gives the sequence numbers at which an outbox stands.
type Position struct {
	First uint64 // the oldest record that is kept; Last+1 when no record is kept
	Acked uint64 // the newest acknowledged record, 0 before the first acknowledgement
	Last  uint64 // the newest record, 0 before the first
}

// Position returns where the outbox stands.
func (s *Store) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Position{First: s.last.first, Acked: s.acked, Last: s.last.sequence}
}

// Changed returns a channel that is closed at the next append. A caller that
// waits for records gets the channel first and then calls Pending.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// notify closes the channel that Changed returned. The caller holds s.mu.
func (s *Store) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
