package store

import (
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Level is how near an outbox is to its end.
type Level int

// The levels. Room is what may still be appended: of MaxSize, and of the disk
// without its headroom. What was acknowledged counts as room only once it is
// deleted, which it is when the level would be Low.
const (
	Roomy Level = iota
	Low         // less than a quarter of all room is left
	Full        // what is left is for outcomes that are on their way: begin nothing new
)

// String gives the level as it is told to the hub.
func (l Level) String() string { return [...]string{"roomy", "low", "full"}[l] }

const (
	// reserve is the room in bytes that is left at Full: some 100 visits, or
	// 8 of the largest records.
	reserve = 8 * maxCost
	maxCost = MaxRecordSize + 2*pageSize // of one record

	// lookAfter is how many bytes are appended, where there is ample room,
	// before it is looked at again. What others write to the disk meanwhile is
	// what the headroom is for.
	checkSpaceAfter = 1 << 20

	// deletedAtOnce bounds one commit's deletions, and with them the time for
	// which an append waits.
	deletedAtOnce = 1000
)

// Level tells how near the outbox is to its end. Once Full it stays so until
// there is clearly more room, so that a kiosk does not open for one visit.
func (s *Store) Level() (Level, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	return s.level()
}

func (s *Store) level() (Level, error) {
	space, err := s.space()
	if err != nil {
		return Full, fmt.Errorf("cannot tell the room in outbox: %w", err)
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

// roomFor gives the bytes that so many records may take. While there is ample
// room it spares them the look, which is a fifth of all that an append takes
// beside waiting for the disk. The caller holds s.commit.
func (s *Store) spaceFor(records int) (int64, error) {
	if int64(records)*maxCost <= s.uncheckedSpace {
		return s.uncheckedSpace, nil
	}
	return s.space()
}

// room gives the bytes that may still be appended. It deletes what was
// acknowledged when little is left. The caller holds s.commit.
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
		space := min(s.limit-used, max(disk-s.headroom, 0)+free)
		s.uncheckedSpace = min(space-(reserve+s.limit/4), checkSpaceAfter)
		if !deletable || s.uncheckedSpace >= 0 {
			return space, nil
		}
		if err := s.flush(0); err != nil {
			return 0, err
		}
	}
}

// pages gives the bytes of the pages that hold something, and of those that
// did and are free for use again.
func (s *Store) pages() (used, free int64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		stats := s.db.Stats()
		free = int64(stats.FreePageN+stats.PendingPageN) * pageSize
		used = tx.Size() - free
		return nil
	})
	return used, free, err
}

// diskFree gives the bytes that may be written to the disk of a file.
func diskFree(path string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &disk); err != nil {
		return 0, fmt.Errorf("cannot tell the room on the disk: %w", err)
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil
}
