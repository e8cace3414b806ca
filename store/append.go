package store

import (
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// request is one Append that waits for its commit.
type request struct {
	seal   func(seq uint64, prev []byte) (record, link []byte, err error)
	tried  bool
	seq    uint64
	link   []byte
	record []byte
	err    error
}

// queue holds the requests that the next commit takes along.
type queue struct {
	mu       sync.Mutex
	requests []*request
}

func (q *queue) add(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests = append(q.requests, r)
}

func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.requests
	q.requests = nil
	return taken
}

// keptEntries is how many bytes of memory stay for the entries of the next
// commit: memory that was just in use costs less than new.
const keptEntries = 32 << 10

var errNotTried = errors.New("a record that was to be written with it panicked")

// Append adds a record and returns when it is on disk. seal makes it, given
// its sequence number and the link that the record before it returned (nil for
// the first); it returns the record, at most MaxRecordSize bytes, and its own
// link of LinkSize bytes. When anything fails the sequence number is not
// spent. seal may run in another caller's goroutine and must not use s: what
// is appended while a commit runs goes to disk together, in the next.
func (s *Store) Append(seal func(seq uint64, prev []byte) (record, link []byte, err error)) (seq uint64, err error) {
	r := &request{seal: seal, err: errNotTried}
	s.queue.add(r)
	s.commit.Lock()
	defer s.commit.Unlock()
	if !r.tried {
		s.commitQueue()
	}
	if r.err != nil {
		return 0, fmt.Errorf("cannot append to outbox: %w", r.err)
	}
	return r.seq, nil
}

// commitQueue seals and writes all that wait. The caller holds s.commit.
func (s *Store) commitQueue() {
	requests := s.queue.take()
	for _, r := range requests {
		r.tried = true
	}
	space, err := s.spaceFor(len(requests))
	s.mu.Lock()
	next, cursors := s.next(s.keep), s.unwritten
	s.mu.Unlock()

	var batch []*request
	for _, r := range requests {
		if err != nil {
			r.err = err
			continue
		}
		r.record, r.link, r.err = r.seal(next.sequence+1, next.link)
		if r.err == nil {
			r.err = r.check(space)
		}
		if r.err != nil {
			continue
		}
		space -= r.cost()
		s.uncheckedSpace -= r.cost()
		next.sequence, next.link = next.sequence+1, r.link
		r.seq = next.sequence
		batch = append(batch, r)
	}
	if len(batch) == 0 {
		return
	}
	if err := s.write(next, cursors, batch); err != nil {
		for _, r := range batch {
			r.err = err
		}
	}
}

func (r *request) check(space int64) error {
	switch {
	case len(r.link) != LinkSize:
		return fmt.Errorf("link of %d bytes", len(r.link))
	case len(r.record) > MaxRecordSize:
		return fmt.Errorf("record of %d bytes, more than %d", len(r.record), MaxRecordSize)
	case r.cost() > space:
		return ErrFull
	}
	return nil
}

// cost is what a record takes in the file, in whole pages, at most maxCost.
func (r *request) cost() int64 {
	return (int64(len(r.record)) + entryHead + 2*pageSize - 1) / pageSize * pageSize
}

// write puts all of a commit on disk: what was appended, acknowledged and
// deleted since the last. The caller holds s.commit.
func (s *Store) write(next tail, cursors map[string]uint64, batch []*request) error {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	entries := s.entries[:0]
	err := s.update(last, func(tx *bolt.Tx) error {
		if err := deleteRange(tx, last.first, next.first-1); err != nil {
			return err
		}
		for _, r := range batch {
			begin := len(entries)
			entries = appendEntry(entries, r.seq, r.link, r.record)
			if err := putEntry(tx, r.seq, entries[begin:]); err != nil {
				return err
			}
		}
		if err := writeCursors(tx, cursors); err != nil {
			return err
		}
		return writeTail(tx, next)
	})
	if cap(entries) <= keptEntries {
		s.entries = entries
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = next
	for name, at := range cursors {
		if s.unwritten[name] == at {
			delete(s.unwritten, name)
		}
	}
	if len(batch) > 0 {
		s.notify()
	}
	return nil
}

// update is the database's, and sees to what a failed commit left. What is on
// disk then is not known (the sync may have failed after the write), but
// nobody was told of more than last: the next update begins by doing away with
// the rest. f must write the tail.
func (s *Store) update(last tail, f func(tx *bolt.Tx) error) error {
	err := s.database.update(func(tx *bolt.Tx) error {
		if s.touchedPages.Add(1) > releaseAfterPages {
			s.touchedPages.Store(0)
			releaseMapping(s.db, tx.Size())
		}
		if s.uncertain {
			there, err := readTail(tx)
			if err != nil {
				return err
			}
			if last.newer(there) {
				return s.fail(errors.New("the disk has lost what it had taken"))
			}
			if err := deleteAfter(tx, last.sequence); err != nil {
				return err
			}
		}
		return f(tx)
	})
	if s.failed {
		s.uncertain = true
		s.uncheckedSpace = 0
	} else if err == nil {
		s.uncertain = false
	}
	return err
}
