package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// Addition is a record that AppendAll adds.
type Addition struct {
	Seal func(seq uint64, prev []byte) (record, link []byte, err error) // see Append

	// Note is a text that the outbox keeps until a later record clears it, see
	// Notes; "" for none. It has at most 128 bytes and no NUL. The outbox keeps
	// the newest 8 notes.
	Note   string
	Clears string // the note that the record clears; "" for none
}

// request is one call of AppendAll that waits for its commit.
type request struct {
	additions []Addition
	epoch     string // the ID of the epoch that the first record begins; "" for none
	tried     bool
	sealed    []sealed
	err       error
}

// sealed is a record that is ready to be written.
type sealed struct {
	seq    uint64
	link   []byte
	record []byte
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
	return s.append(&request{additions: []Addition{{Seal: seal}}, err: errNotTried})
}

// AppendAll adds records as Append does, in one commit: all of them, or none after an
// error. It returns the last one's sequence number.
func (s *Store) AppendAll(additions ...Addition) (seq uint64, err error) {
	if len(additions) == 0 {
		return 0, errors.New("cannot append to outbox: there is no record")
	}
	for _, a := range additions {
		if a.Note != "" && !validNote(a.Note) {
			return 0, fmt.Errorf("cannot append to outbox: the note %.40q has more than %d bytes or contains NUL", a.Note, maxNote)
		}
	}
	return s.append(&request{additions: additions, err: errNotTried})
}

// BeginEpoch adds a record as Append does. The record is the first of a new epoch,
// in which sequence numbers begin with 1. An epoch's ID is used once.
func (s *Store) BeginEpoch(id string, seal func(seq uint64, prev []byte) (record, link []byte, err error)) (seq uint64, err error) {
	if id == "" || len(id) > maxEpochID || strings.ContainsRune(id, 0) {
		return 0, fmt.Errorf("cannot begin an epoch: its ID has %d bytes, not 1 to %d without NUL", len(id), maxEpochID)
	}
	return s.append(&request{additions: []Addition{{Seal: seal}}, epoch: id, err: errNotTried})
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
	return r.sealed[len(r.sealed)-1].seq, nil
}

// commitQueue seals and writes all waiting records. The caller holds s.commit.
func (s *Store) commitQueue() {
	requests := s.queue.take()
	for _, r := range requests {
		r.tried = true
	}
	records := 0
	for _, r := range requests {
		records += len(r.additions)
	}
	space, err := s.spaceFor(records)
	s.mu.Lock()
	next, cursors := s.next(s.keep), s.unwritten
	s.mu.Unlock()

	var batch []*request
	for _, r := range requests {
		if err != nil {
			r.err = err
			continue
		}
		var after tail
		var left int64
		if after, left, r.err = r.seal(next, space); r.err != nil {
			continue
		}
		s.uncheckedSpace -= space - left
		next, space = after, left
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

// seal seals the request's records after a tail, and returns the tail and the space after
// them.
func (r *request) seal(t tail, space int64) (tail, int64, error) {
	if r.epoch != "" {
		t.epoch = Epoch{ID: r.epoch, First: t.sequence + 1}
	}
	for _, a := range r.additions {
		record, link, err := a.Seal(t.sequence+2-t.epoch.First, t.link)
		n := sealed{seq: t.sequence + 1, link: link, record: record}
		if err == nil {
			err = n.check(space)
		}
		if err != nil {
			return t, space, err
		}
		t.sequence, t.link, t.notes = n.seq, link, withNote(t.notes, a.Note, a.Clears)
		space -= n.cost()
		r.sealed = append(r.sealed, n)
	}
	return t, space, nil
}

func (r sealed) check(space int64) error {
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
func (r sealed) cost() int64 {
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
		for _, request := range batch {
			for _, r := range request.sealed {
				begin := len(entries)
				entries = appendEntry(entries, r.seq, r.link, r.record)
				if err := putEntry(tx, r.seq, entries[begin:]); err != nil {
					return err
				}
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
