//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	"smartkiosk/deploy/bench/powercut/cuts"
)

// The format of device-mapper's log-writes, in little-endian numbers
// (drivers/md/dm-log-writes.c): a sector with
//
//	magic uint64 | version uint64 | number of entries uint64 | sector size uint32
//
// and then each entry: a sector with
//
//	sector uint64 | sectors uint64 | flags uint64 | length of data uint64 | a mark's text
//
// and the written sectors. A flush follows all writes that were complete when it
// began.
const (
	logMagic   = 0x6a736677736872
	logVersion = 1

	flagFlush   = 1 << 0
	flagFUA     = 1 << 1 // written through any cache
	flagDiscard = 1 << 2
	flagMark    = 1 << 3
)

// logEnd is the mark that log-writes makes at the end.
const logEnd = "dm-log-writes-end"

// blockEntry is an entry of the log.
type blockEntry struct {
	mark   *cuts.Mark
	flags  uint64
	at     int64 // on the disk, in bytes
	length int64
	data   int64 // the data's offset in the log
}

// readLog reads the log of a disk of diskSize bytes.
func readLog(log io.ReaderAt, diskSize int64) ([]blockEntry, error) {
	head := make([]byte, sector)
	if _, err := log.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("cannot read log: %w", err)
	}
	number := binary.LittleEndian.Uint64
	if magic, version := number(head), number(head[8:]); magic != logMagic || version != logVersion {
		return nil, fmt.Errorf("cannot read log: magic %x, version %d", magic, version)
	}
	if size := binary.LittleEndian.Uint32(head[24:]); size != sector {
		return nil, fmt.Errorf("cannot read log: sectors of %d bytes", size)
	}
	count := number(head[16:])
	var entries []blockEntry
	for next := int64(sector); uint64(len(entries)) < count; {
		if _, err := log.ReadAt(head, next); err != nil {
			return nil, fmt.Errorf("cannot read entry %d of %d: %w", len(entries), count, err)
		}
		first, length := number(head), number(head[8:])
		if disk := uint64(diskSize) / sector; first > disk || length > disk-first {
			return nil, fmt.Errorf("cannot read entry %d of %d: it is beyond the disk", len(entries), count)
		}
		e := blockEntry{at: int64(first) * sector, length: int64(length) * sector, flags: number(head[16:]), data: next + sector}
		if e.flags&flagMark != 0 {
			text := head[32 : 32+min(number(head[24:]), sector-32)]
			text, _, _ = bytes.Cut(text, []byte{0})
			if string(text) == logEnd {
				break
			}
			m, err := cuts.ParseMark(string(text))
			if err != nil {
				return nil, fmt.Errorf("cannot read entry %d of %d: %w", len(entries), count, err)
			}
			e.mark = &m
		}
		next = e.data
		if e.flags&flagDiscard == 0 {
			next += e.length
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// superblockEnd is the end of the first block, which a cut does not tear. ext4
// cannot be mounted with a torn superblock, which has two sectors; it relies on
// disks with larger sectors.
const superblockEnd = 4096

// blockLog is the recording of a disk.
type blockLog struct {
	log     io.ReaderAt
	entries []blockEntry
	safe    []byte // the disk's certain content after done entries
	done    int
	disk    *scratchDisk
}

// Entries implements cuts.Recording.
func (l *blockLog) Entries() []cuts.Entry {
	entries := make([]cuts.Entry, len(l.entries))
	for i, e := range l.entries {
		entries[i].Mark = e.mark
	}
	return entries
}

// Cut implements cuts.Recording.
func (l *blockLog) Cut(n int, random *rand.Rand, f func(folder string) error) error {
	if err := l.cut(n, random, l.disk.image); err != nil {
		return err
	}
	return l.disk.mounted(f)
}

// cut applies to an image what a cut may leave of the writes since the last
// flush: about half of them, some torn.
func (l *blockLog) cut(n int, random *rand.Rand, image []byte) error {
	flushed := l.done
	for i := l.done; i < n; i++ {
		if l.entries[i].flags&flagFlush != 0 {
			flushed = i + 1
		}
	}
	for ; l.done < flushed; l.done++ {
		if err := l.write(l.safe, l.entries[l.done], keepAll); err != nil {
			return err
		}
	}
	copy(image, l.safe)
	for _, e := range l.entries[flushed:n] {
		keep := keepAll
		switch {
		case e.flags&flagFUA != 0: // on the disk
		case e.at >= superblockEnd && random.IntN(4) == 0:
			keep = func() bool { return random.IntN(2) == 0 }
		case random.IntN(2) == 0:
			continue
		}
		if err := l.write(image, e, keep); err != nil {
			return err
		}
	}
	return nil
}

func keepAll() bool { return true }

// write writes the sectors of an entry for which keep returns true to an image.
func (l *blockLog) write(image []byte, e blockEntry, keep func() bool) error {
	if e.flags&flagDiscard != 0 || e.length == 0 {
		return nil // a disk may keep discarded sectors
	}
	data := make([]byte, e.length)
	if _, err := l.log.ReadAt(data, e.data); err != nil {
		return fmt.Errorf("cannot read what was written: %w", err)
	}
	for i := int64(0); i < e.length; i += sector {
		if keep() {
			copy(image[e.at+i:], data[i:i+sector])
		}
	}
	return nil
}
