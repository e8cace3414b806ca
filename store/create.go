package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
)

// lockFile takes the lock that goes with the path, not with the database: the
// database's own goes with the file, which creation and repair replace.
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

// Existed tells whether there ever was an outbox at path: the file of its lock
// stays when its own is gone.
func Existed(path string) bool {
	_, err := os.Stat(path + ".lock")
	return err == nil
}

// create makes an empty outbox under another name and gives it its own when
// it is whole on disk: while a bbolt file is made, a power cut can ruin it.
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
	return install(path+".new", path)
}

// openFresh makes an empty database. One of that name is left from an attempt
// that was cut short.
func openFresh(path string, maxSize int) (*bolt.DB, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return openBolt(path, maxSize)
}

func fill(db *bolt.DB) error { return migrate(db, migrations, 0) }

// install renames a synced file and syncs its folder, without which the new
// name may be lost.
func install(fresh, path string) error {
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = folder.Sync()
	return errors.Join(err, folder.Close())
}
