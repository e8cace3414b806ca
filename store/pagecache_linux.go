package store

import (
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// syncAndReread writes a file's cached pages to the disk and drops them from
// the page cache, so that later reads return what a power cut would leave. The
// file must not be mapped.
func syncAndReread(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // matters only after a failed sync
	return nil
}

// dropPageCacheMax is the size of the largest file that dropPageCache handles,
// in bytes. For a larger file, reading it again costs more than it saves.
const dropPageCacheMax = 4 << 20

// dropPageCache drops a synced file from the page cache. Newer kernels cache
// what was read or written in one go as one unit (a large folio), and a later
// write of one page dirties the whole unit: 16 KiB for a meta page of 4 KiB.
// bbolt reads page by page, so the pages come back as units of one page.
func dropPageCache(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() <= dropPageCacheMax {
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // only advice: correctness does not depend on it
	}
}

// releaseMapping releases the first size bytes of the memory into which the
// file is mapped. Pages that were read count as the process's memory until the
// kernel needs them. Later reads get the pages from the page cache again. The
// caller holds a transaction, so that the mapping stays.
func releaseMapping(db *bolt.DB, size int64) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, db.Info().Data, uintptr(size), unix.MADV_DONTNEED)
}
