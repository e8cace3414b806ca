package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget drops a synced file from the page cache. bbolt writes the first four
// pages of a new file in one go, and newer kernels keep what was written so as
// one unit, of which each later write of a meta page dirties all 16 KiB. Read
// back page by page they are units of their own.
func forget(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // advice: nothing rests on it
}
