package store

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Salvaged is the result of Salvage.
type Salvaged struct {
	Kept        int     // the number of records in the new file
	Lost        []Range // the records that could not be read, ascending
	DamagedFile string  // the damaged file's new name; "" if there was no file
	TailLost    bool    // there may have been records after the newest one that was found
}

// Range is a range of sequence numbers, both ends included.
type Range struct{ From, Through uint64 }

// ErrNoTrace says that a file has no readable tail.
var ErrNoTrace = fmt.Errorf("%w: its tail cannot be read", ErrDamaged)

// Salvage replaces a damaged or missing outbox by a new one with everything that
// can still be read: records, dead letters, cursors and notes. It keeps the damaged
// file next to the new one, with the date in its name.
//
// The place of a lost record stays empty: no later call returns a record there.
// Records that were acknowledged last may be pending again, and a consumer may get
// its last records again. If the file has no readable tail, all records that can be
// read are pending.
func Salvage(path string, at time.Time) (Salvaged, error) {
	var s Salvaged
	damagedFile, err := replaceDamaged(path, at, func(im image, db *bolt.DB) error {
		found := im.scan()
		if found.tail.first == 0 {
			all := found.all()
			found.tail, found.sure = tail{first: all.From, acked: all.From - 1, sequence: all.Through, epoch: Epoch{First: 1}}, false
		}
		var err error
		s, err = found.write(im, db)
		s.TailLost = !found.sure
		return err
	})
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot salvage outbox %s: %w", path, err)
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

// findings are the valid entries of a file.
type findings struct {
	entries     map[uint64]location
	deadLetters map[uint64]location
	cursors     map[string]uint64
	unreadable  map[uint64]bool // records that the newest root names and that cannot be read
	tail        tail            // the newest tail
	sure        bool            // the newest root leads to the tail
	bounded     bool            // no record after the tail exists
}

// scan reads the pages to which the newest root leads. The other pages hold what was
// deleted, or what a failed commit left, and must not come back. But if a part of the
// tree cannot be read, pages of the tree are among them. Then scan reads the pages of
// the previous root, which has the state of one commit before, and after them all
// others. The digests identify entries and tails for certain. Of two entries with the
// same number the first one counts.
func (im image) scan() findings {
	f := findings{
		entries: map[uint64]location{}, deadLetters: map[uint64]location{},
		cursors: map[string]uint64{}, unreadable: map[uint64]bool{},
	}
	roots, _ := im.roots()
	scanned := make([]bool, im.pages)
	for i, r := range roots {
		t := im.read(r)
		if i == 0 {
			f.sure, f.unreadable = t.tail.first > 0, t.unreadable
			if f.bounded = f.sure && len(roots) == 2; f.bounded {
				f.tail = t.tail
			}
		}
		for name, at := range t.cursors {
			f.cursors[name] = max(f.cursors[name], at)
		}
		for id, reached := range t.pages {
			if reached && !scanned[id] {
				scanned[id] = true
				f.scanPage(im, uint64(id))
			}
		}
		if i == 0 && t.complete && len(roots) == 2 {
			return f
		}
	}
	for id := range im.pages {
		if !scanned[id] {
			f.scanPage(im, id)
		}
	}
	return f
}

// tree is what can be read below a root.
type tree struct {
	pages      []bool // that were reached
	complete   bool
	tail       tail // zero if it cannot be read
	cursors    map[string]uint64
	unreadable map[uint64]bool // records that are named and cannot be read
}

func (im image) read(r root) tree {
	w := walker{image: im, end: im.pages, seen: make([]bool, im.pages)}
	t := tree{pages: w.seen, complete: true, cursors: map[string]uint64{}, unreadable: map[uint64]bool{}}
	err := w.tree(r.page, nil, nil, func(e element) error {
		if !e.bucket {
			return nil
		}
		readable := false
		err := w.bucket(e, func(inner element) (err error) {
			switch {
			case bytes.Equal(e.key, metaBucket) && bytes.Equal(inner.key, tailKey):
				t.tail, err = decodeTail(inner.value)
			case bytes.Equal(e.key, cursorsBucket) && len(inner.value) == 8:
				t.cursors[string(inner.key)] = sequence(inner.value)
			case len(e.key) == 8 && bytes.Equal(inner.key, e.key):
				_, _, err = decodeEntry(sequence(e.key), inner.value)
				readable = err == nil
			}
			return err
		})
		if len(e.key) == 8 && !readable {
			t.unreadable[sequence(e.key)] = true
		}
		t.complete = t.complete && err == nil
		return nil
	})
	t.complete = t.complete && err == nil
	return t
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
	case len(e.key) == 8 && !f.unreadable[sequence(e.key)]:
		f.addEntry(f.entries, sequence(e.key), e.value, at)
	case len(e.key) == 9 && e.key[0] == deadLetterKey(0)[0]:
		f.addEntry(f.deadLetters, sequence(e.key[1:]), e.value, at)
	case bytes.Equal(e.key, tailKey):
		if t, err := decodeTail(e.value); err == nil && !f.bounded && t.newer(f.tail) {
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

// newest returns the newest record that was found. It can be newer than the tail if
// the newest tail was lost.
func (f findings) newest() uint64 {
	newest := f.tail.sequence
	if !f.bounded {
		for seq := range f.entries {
			newest = max(newest, seq)
		}
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

// write fills an empty file with the findings.
func (f findings) write(im image, db *bolt.DB) (s Salvaged, err error) {
	if err := migrate(db, migrations, 0); err != nil {
		return s, err
	}
	newest := f.newest()
	s.Lost = f.lost()
	link, next := f.tail.link, f.tail.first
	if next <= newest {
		link = nil
	}
	for next <= newest {
		err := db.Update(func(tx *bolt.Tx) error {
			for end := min(newest, next+salvageBatch-1); next <= end; next++ {
				entry := encodeEntry(next, make([]byte, LinkSize), nil)
				if at, there := f.entries[next]; there {
					if entry, err = f.read(im, at, next); err != nil {
						return err
					}
					s.Kept++
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
		for name, at := range f.cursors {
			// The new numbers after newest are for other records than the old ones.
			f.cursors[name] = min(at, newest)
		}
		if err := writeCursors(tx, f.cursors); err != nil {
			return err
		}
		return writeTail(tx, tail{sequence: newest, link: link, first: f.tail.first, acked: f.tail.acked, epoch: f.tail.epoch, commit: f.tail.commit, notes: f.tail.notes})
	})
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
