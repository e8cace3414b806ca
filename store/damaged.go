package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"smartkiosk/device/atomicfile"
)

// replaceDamaged replaces a damaged file by a new one that fill fills. It
// returns the damaged file's new name, or "" if there was no file. If it fails,
// nothing is changed.
func replaceDamaged(path string, at time.Time, fill func(damaged image, db *bolt.DB) error) (damagedPath string, err error) {
	lock, err := lockFile(path+".lock", lockWait)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	var im image
	f, err := os.Open(path)
	gone := errors.Is(err, fs.ErrNotExist)
	if !gone {
		if err != nil {
			return "", err
		}
		defer f.Close()
		if im, err = newImage(f); err != nil {
			return "", err
		}
	}
	db, err := openFresh(path+".new", 0)
	if err != nil {
		return "", err
	}
	err = fill(im, db)
	if err == nil {
		err = db.Sync()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path+".new"))
	}
	// Link the damaged file to its new name before the new file takes over path.
	// A file that is called path exists at every moment, because Open would
	// create an empty outbox if it found none.
	if gone {
		return "", atomicfile.Rename(path+".new", path)
	}
	if damagedPath, err = linkUnused(path, damagedName(path, at)); err != nil {
		return "", err
	}
	return damagedPath, errors.Join(atomicfile.Rename(path+".new", path), removeOldDamaged(path, damagedPath))
}

// maxDamagedFiles is how many damaged files are kept, so that a disk that fails
// again and again does not fill up.
const maxDamagedFiles = 3

func damagedName(path string, at time.Time) string {
	return path + ".damaged-" + at.UTC().Format("20060102T150405Z")
}

// removeOldDamaged removes the oldest damaged files. It never removes newest,
// whose date may be the oldest if the machine has no valid clock.
func removeOldDamaged(path, newest string) error {
	names, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == newest })
	slices.Sort(names)
	for len(names) >= maxDamagedFiles {
		err, names = errors.Join(err, os.Remove(names[0])), names[1:]
	}
	return err
}

// linkUnused links a file to name. If name exists it appends a number, because
// a machine without a valid clock can have the same date twice.
func linkUnused(path, name string) (string, error) {
	for n, unused := 2, name; ; n++ {
		err := os.Link(path, unused)
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return unused, err
		}
		unused = fmt.Sprintf("%s-%d", name, n)
	}
}
