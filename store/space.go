package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Level says how much space an outbox has left.
type Level int

// The levels. Space is the number of bytes that can still be appended, bounded
// by MaxSize and by the free disk space without the headroom. Acknowledged
// records are deleted before the level becomes Low.
const (
	Roomy Level = iota
	Low         // less than a quarter of the space is left
	Full        // the rest is for the outcomes of running visits: start no visit
)

// String returns the level's name in events to the hub.
func (l Level) String() string { return [...]string{"roomy", "low", "full"}[l] }

const (
	// reserve is the space that is left at Full, in bytes: about 60 visits, or
	// 8 of the largest records.
	reserve = 8 * maxCost
	maxCost = MaxRecordSize + 2*pageSize // of one record, in bytes

	// checkSpaceAfter is how many bytes are appended between two checks of the
	// space while there is plenty. The headroom covers what other programs
	// write to the disk meanwhile.
	checkSpaceAfter = 1 << 20

	// bookkeeping is the free space in the file that Append leaves, in bytes. With it
	// acknowledgements and deletions can be written even if the disk is full.
	bookkeeping = 64 * pageSize

	// deletedAtOnce bounds the records that one commit deletes, and so the time
	// that an append waits for it.
	deletedAtOnce = 1000
)

// Level returns how much space the outbox has left. After Full it returns Full
// until there is clearly more space, so that a kiosk does not open for a single
// visit.
func (s *Store) Level() (Level, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	return s.level()
}

func (s *Store) level() (Level, error) {
	space, err := s.space()
	if err != nil {
		return Full, fmt.Errorf("cannot determine the outbox's free space: %w", err)
	}
	end := int64(reserve)
	if s.full {
		end += s.limit / 16
	}
	s.full = space < end
	switch {
	case s.full:
		return Full, nil
	case space < reserve+s.limit/4:
		return Low, nil
	}
	return Roomy, nil
}

// spaceFor returns the space for a number of records, in bytes. While there is
// plenty of space it skips the check, which takes a fifth of an append's
// processor time. The caller holds s.commit.
func (s *Store) spaceFor(records int) (int64, error) {
	if int64(records)*maxCost <= s.uncheckedSpace {
		return s.uncheckedSpace, nil
	}
	return s.space()
}

// space returns the bytes that can still be appended. When little is left it
// deletes acknowledged records first. The caller holds s.commit.
func (s *Store) space() (int64, error) {
	for {
		s.mu.Lock()
		closed, deletable := s.closed, s.deletable(0) >= s.last.first
		s.mu.Unlock()
		if closed {
			return 0, ErrClosed
		}
		if err := s.ready(); err != nil {
			return 0, err
		}
		used, free, err := s.pages()
		if err != nil {
			return 0, err
		}
		disk, err := s.disk()
		if err != nil {
			return 0, err
		}
		if disk < s.headroom && s.removeDamaged() {
			continue
		}
		space := min(s.limit-used, max(disk-s.headroom, 0)+max(free-bookkeeping, 0))
		s.uncheckedSpace = min(space-(reserve+s.limit/4), checkSpaceAfter)
		if !deletable || s.uncheckedSpace >= 0 {
			return space, nil
		}
		if err := s.flush(0); err != nil {
			return 0, err
		}
	}
}

// removeDamaged removes the oldest damaged file that Salvage kept, because the disk has
// no room for it any more. It reports whether there was one.
func (s *Store) removeDamaged() bool {
	names, err := filepath.Glob(s.path + ".damaged-*")
	if err != nil || len(names) == 0 {
		return false
	}
	return os.Remove(slices.Min(names)) == nil
}

// pages returns the bytes of the pages in use and of the free pages.
func (s *Store) pages() (used, free int64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		stats := s.db.Stats()
		free = int64(stats.FreePageN+stats.PendingPageN) * pageSize
		used = tx.Size() - free
		return nil
	})
	return used, free, err
}

// diskFree returns the free bytes on the disk that holds path.
func diskFree(path string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &disk); err != nil {
		return 0, fmt.Errorf("cannot determine the disk's free space: %w", err)
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil
}
