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
)

// exchange puts a new file, filled by fill, in the place of a damaged one, and
// gives the name that this has then, "" if there is none. If it fails nothing
// is changed.
func replaceDamaged(path string, at time.Time, fill func(damaged image, db *bolt.DB) error) (aside string, err error) {
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
	// A second name first, then the old name to the new file: at no moment
	// is there no file, for which Open would make an empty one.
	if gone {
		return "", install(path+".new", path)
	}
	if aside, err = linkUnused(path, damagedName(path, at)); err != nil {
		return "", err
	}
	return aside, errors.Join(install(path+".new", path), removeOldDamaged(path, aside))
}

// maxDamagedFiles is how many damaged files are kept, so that a disk that goes on
// failing is not filled by them.
const maxDamagedFiles = 3

func damagedName(path string, at time.Time) string {
	return path + ".damaged-" + at.UTC().Format("20060102T150405Z")
}

// tidy removes the oldest of the damaged files but for the newest, however old
// a machine without a clock says that this is.
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

// secondName links a file to a name, or to one with a number behind it: a
// machine without a clock can come by the same date again.
func linkUnused(path, name string) (string, error) {
	for n, aside := 2, name; ; n++ {
		err := os.Link(path, aside)
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return aside, err
		}
		aside = fmt.Sprintf("%s-%d", name, n)
	}
}
