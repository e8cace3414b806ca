// Package atomicfile replaces files so that a power cut leaves the old content or the new
// one, never a part.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes the file at path, which gets the mode if it is new or was replaced. The new
// content is on disk when Replace returns. If Replace fails, the file at path is unchanged,
// unless the folder cannot be synced: then a power cut decides. Calls for the same path must
// not run at the same time.
func Replace(path string, text []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	// Remove the file of an attempt that was interrupted: it may have another mode.
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return Rename(fresh, path)
}

// Rename gives a synced file another name in the same folder. The name is on disk when
// Rename returns.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// SyncFolder returns when the names in a folder are on disk.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
