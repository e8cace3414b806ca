package store

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Salvaged is the result of Salvage or Rebuild.
type Salvaged struct {
	Kept        int     // the number of records in the new file that were read from the old one
	Lost        []Range // the records that could not be read, ascending
	DamagedFile string  // the damaged file's new name
	TailLost    bool    // there may have been records after the newest one that was found
}

// Range is a range of sequence numbers, both ends included.
type Range struct{ From, Through uint64 }

// ErrNoTrace says that a file has no readable tail.
var ErrNoTrace = fmt.Errorf("%w: its tail cannot be read", ErrDamaged)

// Salvage replaces a damaged outbox by a new one with all records that can
// still be read. It keeps the damaged file next to the new one, with the date
// in its name.
//
// Lost records leave no gap. For each of them Salvage calls replace, which
// returns a stand-in and its link like Append's seal. prev is nil also where
// the previous record's link is unknown. lost is the whole range that was lost
// at this place. The record after a stand-in still links to the lost record. An
// empty stand-in leaves the place empty: no later call returns such a record.
//
// assigned is the newest sequence number that may have been assigned, 0 if that
// is unknown. Salvage uses it only when the damage destroyed the newest tail.
// Then all numbers through assigned that are not in the file are lost.
//
// Records that were acknowledged last may be pending again. If the file has no
// readable tail, Salvage changes nothing and fails with ErrNoTrace; see Rebuild.
func Salvage(path string, at time.Time, assigned uint64, replace func(seq uint64, lost Range, prev []byte) (record, link []byte, err error)) (Salvaged, error) {
	var s Salvaged
	damagedFile, err := replaceDamaged(path, at, func(im image, db *bolt.DB) error {
		found := im.scan()
		if found.tail.first == 0 {
			return ErrNoTrace
		}
		if !found.sure {
			found.assigned = assigned
		}
		var err error
		s, err = found.write(im, db, replace)
		s.TailLost = !found.sure
		return err
	})
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot salvage outbox %s: %w", path, err)
	}
	s.DamagedFile = damagedFile
	return s, nil
}

// Rebuild is Salvage for a file without a readable tail, or for a missing file.
// The caller may know from elsewhere which records may be pending: from the one
// after the last record that was certainly acknowledged, through a number that
// no record exceeded. With the zero Range, all records that can be read are
// pending.
func Rebuild(path string, at time.Time, pending Range, replace func(seq uint64, lost Range, prev []byte) (record, link []byte, err error)) (Salvaged, error) {
	if pending != (Range{}) && (pending.From == 0 || pending.From > pending.Through) {
		return Salvaged{}, fmt.Errorf("cannot rebuild outbox %s: invalid range %d to %d", path, pending.From, pending.Through)
	}
	var s Salvaged
	damagedFile, err := replaceDamaged(path, at, func(im image, db *bolt.DB) error {
		found := im.scan()
		if pending == (Range{}) {
			pending = found.all()
		}
		found.tail = tail{first: pending.From, acked: pending.From - 1, sequence: pending.Through, epoch: Epoch{First: 1}}
		var err error
		s, err = found.write(im, db, replace)
		s.TailLost = true
		return err
	})
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot rebuild outbox %s: %w", path, err)
	}
	s.DamagedFile = damagedFile
	return s, nil
}

// location says where in the file an entry is.
type location struct {
	page  uint64
	index int
	inner int // the index in the inline bucket at index, or -1
}

// findings are the valid entries of a file, wherever they are in it.
type findings struct {
	entries     map[uint64]location
	deadLetters map[uint64]location
	tail        tail   // the newest tail
	sure        bool   // the newest root leads to a tail, so that tail is the newest
	assigned    uint64 // numbers through this may have been assigned; 0 if unknown
}

// scan reads every page, in use or not. The digests identify entries and tails
// for certain, but a deleted entry may still be found. If two pages have an
// entry of the same number, scan takes the one from the page in use.
func (im image) scan() findings {
	f := findings{entries: map[uint64]location{}, deadLetters: map[uint64]location{}}
	inUse, sure := im.inUse()
	f.sure = sure
	for _, want := range []bool{true, false} {
		for id := range im.pages {
			if inUse[id] == want {
				f.scanPage(im, id)
			}
		}
	}
	return f
}

// inUse returns which pages the newest root leads to, as far as they can be
// read, and whether the tail is among them.
func (im image) inUse() (pages []bool, tail bool) {
	w := walker{image: im, end: im.pages, seen: make([]bool, im.pages)}
	roots, _ := im.roots()
	if len(roots) == 0 {
		return w.seen, false
	}
	_ = w.tree(roots[0].page, nil, nil, func(e element) error {
		if e.bucket {
			_ = w.bucket(e, func(inner element) error {
				if bytes.Equal(e.key, metaBucket) && bytes.Equal(inner.key, tailKey) {
					_, err := decodeTail(inner.value)
					tail = err == nil
				}
				return nil
			})
		}
		return nil
	})
	return w.seen, tail
}

func (f *findings) scanPage(im image, id uint64) {
	p, err := im.page(id)
	if err != nil || p.flags != leafPage {
		return
	}
	elements, err := p.elements()
	if err != nil {
		return
	}
	for i, e := range elements {
		f.add(e, location{page: id, index: i, inner: -1})
		inline, err := e.inline()
		if err != nil {
			continue
		}
		for k, e := range inline {
			f.add(e, location{page: id, index: i, inner: k})
		}
	}
}

// add records an element if it is a valid entry, dead letter or tail.
func (f *findings) add(e element, at location) {
	switch {
	case e.bucket:
	case len(e.key) == 8:
		f.addEntry(f.entries, sequence(e.key), e.value, at)
	case len(e.key) == 9 && e.key[0] == deadLetterKey(0)[0]:
		f.addEntry(f.deadLetters, sequence(e.key[1:]), e.value, at)
	case bytes.Equal(e.key, tailKey):
		if t, err := decodeTail(e.value); err == nil && t.newer(f.tail) {
			f.tail = t
		}
	}
}

func (f *findings) addEntry(in map[uint64]location, seq uint64, entry []byte, at location) {
	if _, there := in[seq]; there {
		return
	}
	if _, _, err := decodeEntry(seq, entry); err == nil {
		in[seq] = at
	}
}

// newest returns the newest record that exists or may have existed. It can be
// newer than the tail if the newest tail was lost.
func (f findings) newest() uint64 {
	newest := max(f.tail.sequence, f.assigned)
	for seq := range f.entries {
		newest = max(newest, seq)
	}
	return newest
}

// all returns the range of the records that were found: {1, 0} if no record was found.
func (f findings) all() Range {
	r := Range{From: 1}
	for seq := range f.entries {
		if r.Through == 0 || seq < r.From {
			r.From = seq
		}
		r.Through = max(r.Through, seq)
	}
	return r
}

// lost returns the ranges that are missing between the tail's first record and
// the newest.
func (f findings) lost() (lost []Range) {
	for seq := f.tail.first; seq <= f.newest(); seq++ {
		if _, there := f.entries[seq]; there {
			continue
		}
		if n := len(lost); n > 0 && lost[n-1].Through == seq-1 {
			lost[n-1].Through = seq
		} else {
			lost = append(lost, Range{seq, seq})
		}
	}
	return lost
}

// salvageBatch is the number of records in one commit to a new file.
const salvageBatch = 500

// write fills an empty file with the findings and with stand-ins.
func (f findings) write(im image, db *bolt.DB, replace func(uint64, Range, []byte) ([]byte, []byte, error)) (s Salvaged, err error) {
	if err := migrate(db, migrations, 0); err != nil {
		return s, err
	}
	newest, lost := f.newest(), f.lost()
	s.Lost = lost
	link, next := f.tail.link, f.tail.first
	if next <= f.tail.sequence {
		link = nil // the link of the record before the first is unknown
	}
	for next <= newest {
		err := db.Update(func(tx *bolt.Tx) error {
			for end := min(newest, next+salvageBatch-1); next <= end; next++ {
				if len(lost) > 0 && next > lost[0].Through {
					lost = lost[1:]
				}
				var entry []byte
				var err error
				if len(lost) > 0 && next >= lost[0].From {
					entry, err = replacement(next, lost[0], link, replace)
				} else {
					entry, err = f.read(im, f.entries[next], next)
					s.Kept++
				}
				if err != nil {
					return err
				}
				if link, _, err = decodeEntry(next, entry); err != nil {
					return err
				}
				if err := putEntry(tx, next, entry); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return s, err
		}
	}
	return s, db.Update(func(tx *bolt.Tx) error {
		for seq, at := range f.deadLetters {
			entry, err := f.read(im, at, seq)
			if err != nil {
				return err
			}
			// If the original was found in its own place, it is not a dead
			// letter, and can become one again.
			if bytes.Equal(getEntry(tx, seq), entry) {
				continue
			}
			if err := tx.Bucket(deadLettersBucket).Put(deadLetterKey(seq), entry); err != nil {
				return err
			}
		}
		return writeTail(tx, tail{sequence: newest, link: link, first: f.tail.first, acked: f.tail.acked, epoch: f.tail.epoch, commit: f.tail.commit})
	})
}

// replacement returns the entry of the stand-in for a lost record.
func replacement(seq uint64, lost Range, prev []byte, replace func(uint64, Range, []byte) ([]byte, []byte, error)) ([]byte, error) {
	record, link, err := replace(seq, lost, prev)
	if err == nil && len(link) != LinkSize {
		err = fmt.Errorf("its link has %d bytes, not %d", len(link), LinkSize)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot replace record %d: %w", seq, err)
	}
	return encodeEntry(seq, link, record), nil
}

// read reads an entry that scan found and checks it again.
func (f findings) read(im image, at location, seq uint64) ([]byte, error) {
	p, err := im.page(at.page)
	if err != nil {
		return nil, err
	}
	elements, err := p.elements()
	if err != nil {
		return nil, err
	}
	e := elements[at.index]
	if at.inner >= 0 {
		if elements, err = e.inline(); err != nil {
			return nil, err
		}
		e = elements[at.inner]
	}
	_, _, err = decodeEntry(seq, e.value)
	return e.value, err
}
