package store

import (
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// settle puts all that the kernel keeps of a file on the disk, and has it read
// from there from now on: what is found in it then is what a power cut leaves.
// The file must not be mapped.
func syncAndReread(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // only what a failed sync left needs it
	return nil
}

// forgetMost is the largest file that forget drops, in bytes: reading more
// than that again costs more than it spares.
const dropPageCacheMax = 4 << 20

// forget drops a synced file from the page cache. What was written or read in
// one go, newer kernels keep as one unit, and each later write of one page of
// it dirties all of them: 16 KiB for a meta page of 4 KiB. bbolt reads page by
// page, so that they become units of their own.
func dropPageCache(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() <= dropPageCacheMax {
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // advice: nothing rests on it
	}
}

// release gives back the memory in which the file is mapped, up to size, in
// bytes: pages that were looked at count as the process's own until somebody
// else needs the memory. What is looked at again comes from the page cache.
// The caller holds a transaction, so that the mapping stays.
func releaseMapping(db *bolt.DB, size int64) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, db.Info().Data, uintptr(size), unix.MADV_DONTNEED)
}
