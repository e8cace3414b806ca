package hub

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// space is how much room there is on the disk of the embedded JetStream.
type space struct {
	size, free uint64 // bytes, without what only root may use
	readOnly   bool
}

func measure(dir string) (space, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return space{}, fmt.Errorf("cannot measure the disk of %s: %w", dir, err)
	}
	block := uint64(fs.Bsize)
	// Like df, without the part that is reserved for root.
	return space{(fs.Blocks - fs.Bfree + fs.Bavail) * block, fs.Bavail * block, fs.Flags&unix.ST_RDONLY != 0}, nil
}

// Parts of a disk that events do not use, in bytes. Challenges and acknowledgements go on in
// the reserve, so that people are let in and consumers can make room. The hub writes nothing
// in the last quarter of it, because JetStream needs room to delete.
const (
	reservedPart = 20 // 1/20 of the disk
	maxReserve   = 256 << 20
	floorPart    = 4 // of the reserve
)

func (s space) reserve() uint64 { return min(s.size/reservedPart, maxReserve) }

// percent is the used part of the disk.
func (s space) percent() int {
	if s.size == 0 {
		return 0
	}
	return int((s.size - min(s.free, s.size)) * 100 / s.size)
}

// diskLevels are the used parts of the disk, in percent, at which the hub raises an alarm.
// diskFull stands for a disk on which the hub stores no more events.
var diskLevels = []int{60, 80, diskFull}

const diskFull = 100

// levelHysteresis is by how many percent points the used part must fall below a level until
// the hub can raise the alarm again.
const levelHysteresis = 2

// level returns the highest level that the disk has reached. before is the level so far.
func (s space) level(before int) (level int) {
	for _, l := range diskLevels {
		reached := s.percent() >= l
		if l <= before {
			reached = s.percent() >= l-levelHysteresis
		}
		if l == diskFull {
			reached = s.free < s.reserve()
		}
		if reached {
			level = l
		}
	}
	return level
}

// Bounds of the trial of a disk.
const (
	trialSize = 64 << 10 // bytes
	slowTrial = 2 * time.Second
)

// tryDisk writes a file, syncs it and removes it. It returns why the disk cannot be used, or
// nil.
func tryDisk(dir string) (err error) {
	f, err := os.CreateTemp(dir, trialPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	began := time.Now()
	if _, err := f.Write(make([]byte, trialSize)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if took := time.Since(began); took > slowTrial {
		return slowDisk{took}
	}
	return nil
}

// trialPrefix is that of the files that tryDisk writes.
const trialPrefix = "trial-"

// slowDisk is the error of a disk that writes, but not in time.
type slowDisk struct{ took time.Duration }

func (e slowDisk) Error() string {
	return fmt.Sprintf("a write of %d KiB took %s", trialSize>>10, e.took.Round(time.Millisecond))
}

// diskFault says in words what is wrong with a disk.
func diskFault(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "the hub's disk is full"
	case errors.Is(err, unix.EROFS):
		return "the hub's disk is read-only"
	case errors.As(err, new(slowDisk)):
		return "the hub's disk is too slow"
	}
	return "the hub's disk fails"
}
