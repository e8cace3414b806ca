package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"smartkiosk/device/atomicfile"
)

// Before Open converts an outbox to a newer format, it keeps a copy, so that the version of the
// program before an update can still be used: it does not know the newer format. GoBack puts
// the copy in the outbox's place. RemoveCopies deletes the copies when they are not needed
// any more.

// formatCopy is the path of the copy of an outbox of a format.
func formatCopy(path string, format uint64) string { return fmt.Sprintf("%s.format%d", path, format) }

// newerFile is where GoBack puts the outbox that a newer program wrote.
func newerFile(path string) string { return path + ".newer" }

// keepCopy keeps a copy of an outbox that is going to be converted.
func keepCopy(db *bolt.DB, path string) error {
	have, err := formatOf(db, 0)
	if err != nil || have == 0 || have >= uint64(len(migrations)) {
		return err
	}
	to := formatCopy(path, have)
	err = db.View(func(tx *bolt.Tx) error { return tx.CopyFile(to+".new", 0o600) })
	if err == nil {
		err = syncFile(to + ".new")
	}
	if err == nil {
		err = atomicfile.Rename(to+".new", to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep a copy before it is converted to format %d: %w", len(migrations), err), removeFile(to+".new"))
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// GoBack puts the copy that was kept before an outbox was converted in its place, after Open
// has failed with ErrSchema. It returns where the outbox of the newer program is now: it may
// hold events that exist only here.
func GoBack(path string) (newer string, err error) {
	copied, newer := formatCopy(path, uint64(len(migrations))), newerFile(path)
	if _, err := os.Stat(copied); err != nil {
		return "", fmt.Errorf("cannot go back to the outbox from before its conversion: %w", err)
	}
	// The outbox is under one of its names at any time.
	err = removeFile(newer)
	if err == nil {
		err = os.Link(path, newer)
	}
	if err == nil {
		err = atomicfile.Rename(copied, path)
	}
	if err != nil {
		return "", fmt.Errorf("cannot go back to the outbox from before its conversion: %w", err)
	}
	return newer, nil
}

// RemoveCopies deletes what conversions have left of an outbox, except what a newer program
// wrote.
func RemoveCopies(path string) error {
	copies, err := filepath.Glob(formatCopy(path, 0)[:len(path)+len(".format")] + "*")
	for _, old := range copies {
		err = errors.Join(err, removeFile(old))
	}
	return err
}
