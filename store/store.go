// Package store is the kiosk's outbox: it keeps records on disk, in order,
// until they are acknowledged. It does not interpret the records. The file
// also holds consumers' cursors and the version of its own format.
//
// The file is a bbolt database. These settings matter:
//
//   - Every commit is synced (no NoSync). Append returns after the sync.
//   - NoFreelistSync: bbolt rebuilds the list of free pages at each start
//     instead of writing it at each commit. That saves one page per commit.
//   - FreelistMapType: its cost does not grow with fragmentation.
//   - The page size is 4 KiB on every machine. The two meta pages, one of
//     which must survive a torn write, stay in separate sectors, and a file
//     can be moved between machines.
//   - The file grows by 256 KiB instead of 16 MiB, so that MaxSize holds.
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
	ErrInUse   = errors.New("another process has the file open")
	ErrFull    = errors.New("outbox is full")
	ErrSchema  = errors.New("this program does not know the file's format")
	ErrDamaged = errors.New("file is damaged")
	ErrClosed  = errors.New("outbox is closed")

	// ErrBroken says that the disk failed under an open outbox. The caller
	// must close the outbox and open it again; Open then checks the file.
	ErrBroken = errors.New("outbox must be opened again")
)

const (
	// DefaultMaxSize holds about 60,000 sealed visits with what was shown of each.
	DefaultMaxSize = 1 << 30
	// MinMaxSize is the smallest MaxSize that Open accepts, in bytes.
	MinMaxSize = 4 << 20
	// MaxRecordSize is the size of the largest record, in bytes.
	MaxRecordSize = 128 << 10

	// DefaultHeadroom is the disk space that an outbox leaves free for other
	// programs, in bytes.
	DefaultHeadroom = 64 << 20

	pageSize = 4096
	growStep = 256 << 10
	lockWait = 400 * time.Millisecond

	// releaseAfterPages is the number of commits or read records after which
	// the store releases mapped pages, see releaseMapping.
	releaseAfterPages = 16
)

// Options are the settings of a store.
type Options struct {
	// MaxSize bounds the file, in bytes; 0 means DefaultMaxSize. Append fails
	// with ErrFull at three quarters of it. The rest is for Ack, which needs
	// free pages to delete records.
	MaxSize int64
	// Headroom is the disk space to leave free, in bytes; 0 means
	// DefaultHeadroom.
	Headroom int64
	// Keep is how many acknowledged records are kept. It is a number and not
	// a duration because the device may have no valid clock. The store deletes
	// these records before the outbox becomes Low.
	Keep int
	// Required names consumers. A record is kept until each of them has
	// advanced past it (see Advance), even if it is acknowledged and the
	// outbox is full.
	Required []string
}

// Store is an open outbox. Its methods may be called from any goroutine.
type Store struct {
	database
	limit    int64 // Append fails when more bytes than this are in use
	headroom int64
	keep     uint64
	required []string
	disk     func() (free int64, err error) // of the disk

	lock *os.File

	queue  queue
	commit sync.Mutex // held during updates of the database

	mu        sync.Mutex // guards the fields below
	last      tail       // as on disk
	acked     uint64     // the newest acknowledged record
	cursors   map[string]uint64
	unwritten map[string]uint64 // cursors that are not on disk yet; replaced, never changed in place
	changed   chan struct{}
	closed    bool

	touchedPages atomic.Int32 // mapped pages that may be in memory, see releaseAfterPages

	// The mutex commit guards the fields below.
	uncertain      bool   // a commit failed: the disk may hold records after last that Append did not confirm
	full           bool   // the last call of level returned Full
	entries        []byte // the buffer of the last commit's entries, for the next one
	uncheckedSpace int64  // bytes that may be appended before the space is checked again
}

// Open opens the outbox at path and creates it if it does not exist. It fails
// with ErrInUse, within a second, when another Store has it open; with
// ErrSchema when a newer program wrote it; with ErrDamaged when the file is
// damaged. Salvage repairs a damaged file.
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
	if err := removeFresh(s.path); err != nil {
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
	if err := keepCopy(s.db, s.path); err != nil {
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
		return nil, ErrInUse // by a program that does not use our lock file
	case err != nil:
		return nil, err
	}
	db.AllocSize = growStep
	return db, nil
}

// Close writes outstanding acknowledgements and closes the file.
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
