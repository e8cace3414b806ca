package disk

import (
	"fmt"
	"os"
	"strings"
)

// Open opens a disk for writing.
func Open(path string) (*File, error) {
	// The raw device is many times faster, and nothing of it is cached.
	f, err := os.OpenFile(strings.Replace(path, "/dev/disk", "/dev/rdisk", 1), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open disk: %w", err)
	}
	return &File{f}, nil
}

// File is a disk that Open has opened.
type File struct{ *os.File }

// Forget implements Device. A raw device has no cache.
func (*File) Forget() error { return nil }
