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
	epoch  string // the ID of the epoch that the record begins; "" for none
	tried  bool
	seq    uint64
	link   []byte
	record []byte
	err    error
}

// queue holds the requests for the next commit.
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

// keptEntries is the size of the largest buffer that is kept for the next
// commit's entries, in bytes. Reusing memory costs less than allocating it.
const keptEntries = 32 << 10

var errNotTried = errors.New("sealing another record of the same commit panicked")

// Append adds a record and returns when it is on disk. It calls seal with the
// record's sequence number within its epoch and the previous record's link (nil
// for the first). seal returns the record, at most MaxRecordSize bytes, and its
// link of LinkSize bytes. If Append fails, the sequence number is used again.
// Append returns the record's sequence number in the outbox, which counts across
// epochs.
//
// Records that are appended during a commit go to disk together in the next
// commit. So seal may run in another caller's goroutine. It must not use s.
func (s *Store) Append(seal func(seq uint64, prev []byte) (record, link []byte, err error)) (seq uint64, err error) {
	return s.append(&request{seal: seal, err: errNotTried})
}

// BeginEpoch adds a record as Append does. The record is the first of a new epoch,
// in which sequence numbers begin with 1. An epoch's ID is used once.
func (s *Store) BeginEpoch(id string, seal func(seq uint64, prev []byte) (record, link []byte, err error)) (seq uint64, err error) {
	if id == "" || len(id) > maxEpochID {
		return 0, fmt.Errorf("cannot begin an epoch: its ID has %d bytes, not 1 to %d", len(id), maxEpochID)
	}
	return s.append(&request{seal: seal, epoch: id, err: errNotTried})
}

func (s *Store) append(r *request) (seq uint64, err error) {
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

// commitQueue seals and writes all waiting records. The caller holds s.commit.
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
		epoch := next.epoch
		if r.epoch != "" {
			epoch = Epoch{ID: r.epoch, First: next.sequence + 1}
		}
		r.record, r.link, r.err = r.seal(next.sequence+2-epoch.First, next.link)
		if r.err == nil {
			r.err = r.check(space)
		}
		if r.err != nil {
			continue
		}
		space -= r.cost()
		s.uncheckedSpace -= r.cost()
		next.sequence, next.link, next.epoch = next.sequence+1, r.link, epoch
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
		return fmt.Errorf("the link has %d bytes, not %d", len(r.link), LinkSize)
	case len(r.record) == 0:
		return errors.New("the record is empty")
	case len(r.record) > MaxRecordSize:
		return fmt.Errorf("the record has %d bytes, more than %d", len(r.record), MaxRecordSize)
	case r.cost() > space:
		return ErrFull
	}
	return nil
}

// cost is the space of a record in the file, in bytes of whole pages, at most
// maxCost.
func (r *request) cost() int64 {
	return (int64(len(r.record)) + entryHead + 2*pageSize - 1) / pageSize * pageSize
}

// write commits what was appended, acknowledged and deleted since the last
// commit. The caller holds s.commit.
func (s *Store) write(next tail, cursors map[string]uint64, batch []*request) error {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	next.commit = last.commit + 1
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

// update runs f in a transaction and cleans up after a failed commit. Such a
// commit may or may not be on disk, because the sync can fail after the write.
// No caller was told that its records are on disk, so the next update first
// deletes all records after last. f must write the tail.
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
				return s.fail(errors.New("the disk lost a commit that it had confirmed"))
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
