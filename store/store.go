// Package store keeps records on disk, in order, until they were handed over:
// the kiosk's outbox. It knows nothing of what the records say. Beside them it
// has a place for cursors and for the number of its own file format.
//
// The file is a bbolt database. These choices of its settings matter:
//
//   - Every commit is synced (no NoSync). Append returns after it.
//   - NoFreelistSync: the list of free pages is found anew at each start and
//     not written at each commit: one page less of wear and of waiting.
//   - FreelistMapType: its cost does not grow with a fragmented file.
//   - Pages of 4 KiB whatever the machine's: the two meta pages, of which one
//     must survive a torn write, stay in sectors of their own, and a file
//     moves between machines.
//   - The file grows by 256 KiB instead of 16 MiB, so that MaxSize is kept.
package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors that a caller can act on.
var (
	ErrInUse   = errors.New("another process has it open")
	ErrFull    = errors.New("outbox is full")
	ErrSchema  = errors.New("file is of a version that this program does not know")
	ErrDamaged = errors.New("file is damaged")
	ErrClosed  = errors.New("outbox is closed")
)

const (
	// DefaultMaxSize holds about 100,000 sealed visits.
	DefaultMaxSize = 1 << 30
	// MinMaxSize is the least MaxSize.
	MinMaxSize = 4 << 20
	// MaxRecordSize is the largest record in bytes.
	MaxRecordSize = 128 << 10

	pageSize = 4096
	growStep = 256 << 10
	lockWait = 400 * time.Millisecond
)

// Options are the settings of a store.
type Options struct {
	// MaxSize bounds the file, in bytes; 0 means DefaultMaxSize. Append fails
	// with ErrFull at three quarters of it: what is left lets Ack work, which
	// needs free pages to delete by.
	MaxSize int64
}

// Store is an open outbox. Its methods may be called from any goroutine.
type Store struct {
	path  string
	limit int64 // of used bytes, beyond which nothing is appended
	lock  *os.File
	db    *bolt.DB

	queue  queue
	commit sync.Mutex // held by who writes to db

	mu      sync.Mutex // guards what is below
	last    tail       // as on disk
	acked   uint64     // all up to here were acknowledged
	changed chan struct{}
	closed  bool

	// doubt is set after a failed commit: records after last may be on disk
	// that nobody was told are. Guarded by commit.
	doubt bool
}

// Open opens the outbox at path, or makes an empty one. It fails with
// ErrInUse, within a second, when another Store has it open; with ErrSchema
// when a newer program wrote it; with ErrDamaged when it is not whole: then
// see Salvage.
func Open(path string, o Options) (*Store, error) {
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.MaxSize < MinMaxSize {
		return nil, fmt.Errorf("cannot open outbox %s: MaxSize %d is less than %d bytes", path, o.MaxSize, MinMaxSize)
	}
	s := &Store{path: path, limit: o.MaxSize / 4 * 3, changed: make(chan struct{})}
	if err := s.open(int(o.MaxSize)); err != nil {
		if s.db != nil {
			_ = s.db.Close()
		}
		if s.lock != nil {
			_ = s.lock.Close()
		}
		return nil, fmt.Errorf("cannot open outbox %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open(maxSize int) (err error) {
	if s.lock, err = lockFile(s.path+".lock", lockWait); err != nil {
		return err
	}
	switch _, err := os.Stat(s.path); {
	case errors.Is(err, os.ErrNotExist):
		if err := create(s.path); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := check(s.path); err != nil {
		return err
	}
	forget(s.path)
	if s.db, err = openBolt(s.path, maxSize); err != nil {
		return err
	}
	if err := migrate(s.db, migrations); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		if s.last, err = readTail(tx); err != nil {
			return err
		}
		s.acked = s.last.first - 1
		return nil
	})
}

func openBolt(path string, maxSize int) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        lockWait,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		PageSize:       pageSize,
		MaxSize:        maxSize,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrInUse // by a program that does not take our lock
	case err != nil:
		return nil, err
	}
	db.AllocSize = growStep
	return db, nil
}

// Close writes what Ack left to be written and lets the file go.
func (s *Store) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.flush()
	err = errors.Join(err, s.db.Close(), s.lock.Close())
	if err != nil {
		return fmt.Errorf("cannot close outbox %s: %w", s.path, err)
	}
	return nil
}
