package store

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Salvaged is what Salvage or Begin found.
type Salvaged struct {
	Kept        int     // records that are in the new file
	Lost        []Range // those that are not, ascending
	DamagedFile string  // where the damaged file is now
}

// Range is a row of sequence numbers, both ends included.
type Range struct{ From, Through uint64 }

// ErrNoTrace says that nothing in a file tells where the outbox stood.
var ErrNoTrace = fmt.Errorf("%w: nothing says where it stood", ErrDamaged)

// Salvage makes a sound outbox of a damaged one: all that can still be read
// goes into a new file, which takes the old one's place; the old one is kept
// beside it, under a name with the date. Lost records leave no gap: replace
// makes the record that stands in the place of each, as Append's seal does,
// but with a nil prev also where the link of the record before is not known.
// It is told the whole range that was lost there. The record after a replaced
// one links to what was lost.
//
// Numbers through given may have been given to records (0: nobody knows). They
// are looked at only where the damage took what says which record was the
// newest: then all of them that are not found are lost.
//
// Records that were acknowledged last may be pending again. When not even
// the place where the outbox stood can be found, Salvage changes nothing and
// fails with ErrNoTrace; see Begin.
func Salvage(path string, at time.Time, assigned uint64, replace func(seq uint64, lost Range, prev []byte) (record, link []byte, err error)) (Salvaged, error) {
	var s Salvaged
	aside, err := replaceDamaged(path, at, func(im image, db *bolt.DB) error {
		found := im.scan()
		if found.tail.first == 0 {
			return ErrNoTrace
		}
		if !found.sure {
			found.assigned = assigned
		}
		var err error
		s, err = found.write(im, db, replace)
		return err
	})
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot salvage outbox %s: %w", path, err)
	}
	s.DamagedFile = aside
	return s, nil
}

// Begin is Salvage where nothing in the file says where the outbox stood, or
// where there is no file, but somebody else says which numbers may be pending:
// from the one after the last that is known to be acknowledged, to one that
// was never exceeded.
func Rebuild(path string, at time.Time, pending Range, replace func(seq uint64, lost Range, prev []byte) (record, link []byte, err error)) (Salvaged, error) {
	if pending.From == 0 || pending.From > pending.Through {
		return Salvaged{}, fmt.Errorf("cannot begin outbox %s anew: %d to %d is no range", path, pending.From, pending.Through)
	}
	var s Salvaged
	aside, err := replaceDamaged(path, at, func(im image, db *bolt.DB) error {
		found := im.scan()
		found.tail = tail{first: pending.From, acked: pending.From - 1, sequence: pending.Through}
		var err error
		s, err = found.write(im, db, replace)
		return err
	})
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot begin outbox %s anew: %w", path, err)
	}
	s.DamagedFile = aside
	return s, nil
}

// place is where in the file an entry is.
type location struct {
	page  uint64
	index int
	inner int // its place in the inline bucket at index, -1 if that is none
}

// findings are the whole entries of a file, wherever they are in it.
type findings struct {
	entries     map[uint64]location
	deadLetters map[uint64]location
	tail        tail   // the newest there is
	sure        bool   // the newest root leads to a tail: there was no newer one
	assigned    uint64 // numbers through here may have been given, if not 0
}

// scan looks at every page, whether anything leads to it or not. Entries and
// tails have digests, so nothing is taken for one that is none; but what was
// deleted may still be found. Of two entries of one number, that to which
// something leads is taken.
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

// inUse tells which pages the newest root leads to, as far as can be seen, and
// whether the tail is there.
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

// see takes an element for what its digest says that it is.
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

// newest is the last record that there was, or may have been: a commit whose
// tail was lost may have left it.
func (f findings) newest() uint64 {
	newest := max(f.tail.sequence, f.assigned)
	for seq := range f.entries {
		newest = max(newest, seq)
	}
	return newest
}

// lost gives what is missing from the tail's first record to the newest.
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

// salvageBatch is how many records one commit of the new file holds.
const salvageBatch = 500

// write fills an empty file with what was found, and with replacements.
func (f findings) write(im image, db *bolt.DB, replace func(uint64, Range, []byte) ([]byte, []byte, error)) (s Salvaged, err error) {
	if err := migrate(db, migrations, 0); err != nil {
		return s, err
	}
	newest, lost := f.newest(), f.lost()
	s.Lost = lost
	link, next := f.tail.link, f.tail.first
	if next <= f.tail.sequence {
		link = nil // of the record before the first, which is deleted
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
			// Where the original was found in its place, it is parked no
			// more, so that it can be again.
			if bytes.Equal(getEntry(tx, seq), entry) {
				continue
			}
			if err := tx.Bucket(deadLettersBucket).Put(deadLetterKey(seq), entry); err != nil {
				return err
			}
		}
		return writeTail(tx, tail{sequence: newest, link: link, first: f.tail.first, acked: f.tail.acked})
	})
}

// replacement makes the entry that stands in the place of a record that is lost.
func replacement(seq uint64, lost Range, prev []byte, replace func(uint64, Range, []byte) ([]byte, []byte, error)) ([]byte, error) {
	record, link, err := replace(seq, lost, prev)
	if err == nil && len(link) != LinkSize {
		err = fmt.Errorf("link of %d bytes", len(link))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot replace record %d: %w", seq, err)
	}
	return encodeEntry(seq, link, record), nil
}

// read fetches an entry that scan saw, and checks it anew.
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
