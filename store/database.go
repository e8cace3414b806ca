package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// database is a bbolt file whose disk may fail while it is open.
//
// bbolt reads through mapped memory. A page that the disk cannot read raises a
// signal (SIGBUS), and a page with other content can make bbolt panic. This
// type turns both into errors, after which the file must be opened and checked
// again. It cannot catch faults in bbolt's own goroutine, which reads the whole
// file after a failed commit: they end the process.
type database struct {
	path    string
	maxSize int                     // in bytes
	check   func(path string) error // fails if bbolt must not open the file

	file sync.RWMutex // write-locked while db is replaced; the caller of update does that
	db   *bolt.DB     // closed if it could not be opened again after a failed commit

	failed     bool                  // the last commit failed; used only by update
	broken     atomic.Pointer[error] // set once the file must be closed and opened again
	deadlocked atomic.Bool           // a transaction holds bbolt's locks, perhaps for ever
}

// open checks and opens the file as it is on disk.
func (d *database) open() error {
	if err := syncAndReread(d.path); err != nil {
		return err
	}
	if err := d.check(d.path); err != nil {
		return err
	}
	dropPageCache(d.path)
	err := catchFaults(func() error {
		db, err := openBolt(d.path, d.maxSize)
		if err == nil {
			d.db = db
		}
		return err
	})
	if errors.Is(err, errFault) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// view runs f in a read-only transaction.
func (d *database) view(f func(tx *bolt.Tx) error) error {
	d.file.RLock()
	defer d.file.RUnlock()
	if broken := d.broken.Load(); broken != nil {
		return *broken
	}
	err := catchFaults(func() error { return d.db.View(f) })
	if errors.Is(err, errFault) {
		d.deadlocked.Store(true)
		return d.fail(err)
	}
	return err
}

// update runs f in a writing transaction. Callers serialize their calls. If the
// transaction panics, update does not roll it back, because bbolt would read
// the whole file for that. The transaction keeps bbolt's locks.
func (d *database) update(f func(tx *bolt.Tx) error) (err error) {
	if err := d.ready(); err != nil {
		return err
	}
	panicked := true
	defer func() {
		if panicked {
			if err == nil { // f panicked with something that catchFaults does not catch
				err = errFault
			}
			d.deadlocked.Store(true)
			err = d.fail(err)
		}
	}()
	err = catchFaults(func() error {
		tx, err := d.db.Begin(true)
		if err == nil {
			if err = f(tx); err != nil {
				err = errors.Join(err, tx.Rollback())
			} else {
				err = tx.Commit()
				d.failed = err != nil && !errors.Is(err, bolterrors.ErrMaxSizeReached)
			}
		}
		panicked = false
		return err
	})
	if errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return ErrFull // bbolt returns it before it writes anything
	}
	return err
}

// ready opens the file again, from the disk, after a failed commit. After a
// failed sync the page cache can differ from the disk, and no later sync
// reports that (fsync(2)), so the cached pages must not be used. If opening
// fails, the next use tries again.
func (d *database) ready() error {
	if broken := d.broken.Load(); broken != nil {
		return *broken
	}
	if !d.failed {
		return nil
	}
	d.file.Lock()
	defer d.file.Unlock()
	_ = d.db.Close() // may be closed already by an earlier attempt
	switch err := d.open(); {
	case errors.Is(err, ErrDamaged):
		return d.fail(err)
	case err != nil:
		return fmt.Errorf("cannot open the file again after a failed write: %w", err)
	}
	d.failed = false
	return nil
}

// fail marks the database as broken and returns the error that all later calls
// return. The first cause is kept.
func (d *database) fail(why error) error {
	err := fmt.Errorf("%w: %w", ErrBroken, why)
	d.broken.CompareAndSwap(nil, &err)
	return *d.broken.Load()
}

// close closes the file, unless bbolt would wait for ever for its own locks.
// In that case the file is closed when the process ends.
func (d *database) close() error {
	if d.db == nil || d.deadlocked.Load() {
		return nil
	}
	return d.db.Close()
}

// errFault says that bbolt read a bad page, or could not read one.
var errFault = errors.New("the disk failed under an open file")

// catchFaults runs f, which reads mapped memory, and turns faults and bbolt's
// panics into errFault.
func catchFaults(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // see debug.SetPanicOnFault
			err = fmt.Errorf("%w: a mapped page cannot be read", errFault)
		case runtime.Error: // such as an index beyond a page
			err = fmt.Errorf("%w: %w", errFault, p)
		case string: // bbolt's own
			err = fmt.Errorf("%w: %s", errFault, p)
		default:
			panic(p)
		}
	}()
	return f()
}
