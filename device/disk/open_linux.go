package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a disk for writing. The kernel refuses it if the disk is mounted or otherwise
// in use.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open disk: %w", err)
	}
	return &File{f}, nil
}

// File is a disk that Open has opened.
type File struct{ *os.File }

// Forget implements Device. The kernel drops what it remembers of the disk.
func (f *File) Forget() error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
