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
	"slices"
	"sync"
	"sync/atomic"
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

	// ErrBroken is of an open outbox: its disk failed in such a way that it
	// must be closed and opened anew, which tells whether it is damaged.
	ErrBroken = errors.New("outbox must be opened anew")
)

const (
	// DefaultMaxSize holds about 100,000 sealed visits.
	DefaultMaxSize = 1 << 30
	// MinMaxSize is the least MaxSize.
	MinMaxSize = 4 << 20
	// MaxRecordSize is the largest record in bytes.
	MaxRecordSize = 128 << 10

	// DefaultHeadroom is what an outbox leaves of its disk to others.
	DefaultHeadroom = 64 << 20

	pageSize = 4096
	growStep = 256 << 10
	lockWait = 400 * time.Millisecond

	// releaseAfter is how many commits, or records that were read, may leave
	// their pages in memory.
	releaseAfterPages = 16
)

// Options are the settings of a store.
type Options struct {
	// MaxSize bounds the file, in bytes; 0 means DefaultMaxSize. Append fails
	// with ErrFull at three quarters of it: what is left lets Ack work, which
	// needs free pages to delete by.
	MaxSize int64
	// Headroom is what is left of the disk, in bytes; 0 means DefaultHeadroom.
	Headroom int64
	// Keep is how many records are kept after they were acknowledged. It is
	// a number, not a time: a device without a clock cannot tell one. They are
	// deleted before the outbox is Low.
	Keep int
	// Required names the consumers for whom records are kept until they have
	// them (see Advance), though acknowledged, and though the outbox be full.
	Required []string
}

// Store is an open outbox. Its methods may be called from any goroutine.
type Store struct {
	database
	limit    int64 // of used bytes, beyond which nothing is appended
	headroom int64
	keep     uint64
	required []string
	disk     func() (free int64, err error) // of the disk

	lock *os.File

	queue  queue
	commit sync.Mutex // held by who updates the database

	mu        sync.Mutex // guards what is below
	last      tail       // as on disk
	acked     uint64     // all up to here were acknowledged
	cursors   map[string]uint64
	unwritten map[string]uint64 // of cursors, what is not on disk; never added to in place
	changed   chan struct{}
	closed    bool

	touchedPages atomic.Int32 // pages that may be in memory, see releaseAfter

	// Guarded by commit.
	uncertain      bool   // after a failed commit: records after last may be on disk that nobody was told are
	full           bool   // the level was Full when it was last looked at
	entries        []byte // memory of the last commit's entries
	uncheckedSpace int64  // bytes that may be appended before the room is looked at again
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
	if o.Headroom == 0 {
		o.Headroom = DefaultHeadroom
	}
	s := &Store{
		database: database{path: path, maxSize: int(o.MaxSize), check: check},
		limit:    o.MaxSize / 4 * 3, headroom: o.Headroom,
		keep: uint64(max(o.Keep, 0)), required: slices.Clone(o.Required),
		disk:    func() (int64, error) { return diskFree(path) },
		changed: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		_ = s.database.close()
		if s.lock != nil {
			_ = s.lock.Close()
		}
		return nil, fmt.Errorf("cannot open outbox %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
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
	if err := s.database.open(); err != nil {
		return err
	}
	if err := migrate(s.db, migrations, 0); err != nil {
		return err
	}
	return s.view(func(tx *bolt.Tx) error {
		if s.last, err = readTail(tx); err != nil {
			return err
		}
		s.acked = s.last.acked
		s.cursors, err = readCursors(tx)
		releaseMapping(s.db, tx.Size())
		return err
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
	s.uncheckedSpace = 0
	if closed {
		return nil
	}
	var err error
	if s.broken.Load() == nil {
		err = s.flush(s.keep)
	}
	err = errors.Join(err, s.database.close(), s.lock.Close())
	if err != nil {
		return fmt.Errorf("cannot close outbox %s: %w", s.path, err)
	}
	return nil
}
