package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"smartkiosk/device/atomicfile"
)

// lockFile takes the lock of an outbox's path. bbolt's own lock belongs to the
// database file, which creation and repair replace.
func lockFile(path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const pause = 20 * time.Millisecond
	for ; ; wait -= pause {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			_ = f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		case wait <= 0:
			_ = f.Close()
			return nil, ErrInUse
		}
		time.Sleep(pause)
	}
}

// Existed reports whether there ever was an outbox at path. The lock file stays
// when the outbox's file is gone.
func Existed(path string) bool {
	_, err := os.Stat(path + ".lock")
	return err == nil
}

// create makes an empty outbox under another name and renames it to path when
// it is on disk, because a power cut can damage a new bbolt file.
func create(path string) error { return createAs(path, fill) }

func createAs(path string, fill func(*bolt.DB) error) error {
	db, err := openFresh(path+".new", 0)
	if err != nil {
		return err
	}
	if err := fill(db); err != nil {
		_ = db.Close()
		return err
	}
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return err
	}
	return atomicfile.Rename(path+".new", path)
}

// openFresh creates an empty database. It first removes a file of that name,
// which an interrupted attempt left.
func openFresh(path string, maxSize int) (*bolt.DB, error) {
	if err := removeFile(path); err != nil {
		return nil, err
	}
	return openBolt(path, maxSize)
}

// removeFresh removes the new file that an interrupted creation, compaction or salvage
// left. It can be as large as the file at path. The caller holds the lock.
func removeFresh(path string) error { return removeFile(path + ".new") }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func fill(db *bolt.DB) error { return migrate(db, migrations, 0) }
