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
// bbolt reads by mapped memory: a page that the disk does not give is a signal
// (SIGBUS), and one that is not what was written may be a panic. Either is an
// error here, after which the file must be opened, and checked, anew. Only
// what bbolt reads in a goroutine of its own, all of the file after a commit
// that failed, ends the process instead.
type database struct {
	path    string
	maxSize int                     // in bytes
	check   func(path string) error // whether bbolt can be given the file

	file sync.RWMutex // held for writing while db is exchanged, by who may update
	db   *bolt.DB     // closed while it cannot be opened after failed

	failed     bool                  // the last commit did; of who may update
	broken     atomic.Pointer[error] // why nothing works until the file is opened anew
	deadlocked atomic.Bool           // bbolt has its locks, perhaps for ever
}

// open opens what is on the disk.
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

// view is bbolt's.
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

// update is bbolt's, for one at a time. A transaction that panics is left as it
// is, for to roll it back bbolt would read all of the file: it keeps its locks.
func (d *database) update(f func(tx *bolt.Tx) error) (err error) {
	if err := d.ready(); err != nil {
		return err
	}
	panicked := true
	defer func() {
		if panicked {
			if err == nil { // and not for the file's sake
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
		return ErrFull // found before anything is written
	}
	return err
}

// ready opens the file anew, from the disk, when the last commit failed. After
// a sync that failed the kernel's memory may hold what the disk does not, and
// no later sync tells (fsync(2)): who went on would build on it. It is tried
// again at each use until the disk works.
func (d *database) ready() error {
	if broken := d.broken.Load(); broken != nil {
		return *broken
	}
	if !d.failed {
		return nil
	}
	d.file.Lock()
	defer d.file.Unlock()
	_ = d.db.Close() // the try before may have
	switch err := d.open(); {
	case errors.Is(err, ErrDamaged):
		return d.fail(err)
	case err != nil:
		return fmt.Errorf("cannot open it anew after a write that failed: %w", err)
	}
	d.failed = false
	return nil
}

// breaks gives the error that everything ends in from now on.
func (d *database) fail(why error) error {
	err := fmt.Errorf("%w: %w", ErrBroken, why)
	d.broken.CompareAndSwap(nil, &err)
	return *d.broken.Load()
}

// close lets the file go, but where bbolt would wait for ever: then it goes
// with the process.
func (d *database) close() error {
	if d.db == nil || d.deadlocked.Load() {
		return nil
	}
	return d.db.Close()
}

// errFault is of what bbolt met in the file, or did not get of it.
var errFault = errors.New("the disk failed under an open file")

// guard runs what reads mapped memory.
func catchFaults(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // see debug.SetPanicOnFault
			err = fmt.Errorf("%w: it does not give all of what is mapped", errFault)
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
