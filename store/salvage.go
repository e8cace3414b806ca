package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Salvaged is what Salvage found.
type Salvaged struct {
	Kept  int      // records that are in the new file
	Lost  []uint64 // sequence numbers of those that are not, ascending
	Aside string   // where the damaged file is now
}

// Salvage makes a sound outbox of a damaged one: all that can still be read
// goes into a new file, which takes the old one's place; the old one is kept
// beside it, under a name with the date. Lost records leave no gap: replace
// makes the record that stands in the place of each, as Append's seal does,
// but with a nil prev also where the link of the record before is not known.
// The record after a replaced one links to what was lost.
//
// Records that were acknowledged last may be pending again. When not even
// the place where the outbox stood can be found, Salvage changes nothing and
// fails with ErrDamaged.
func Salvage(path string, at time.Time, replace func(seq uint64, prev []byte) (record, link []byte, err error)) (Salvaged, error) {
	s, err := salvage(path, at, replace)
	if err != nil {
		return Salvaged{}, fmt.Errorf("cannot salvage outbox %s: %w", path, err)
	}
	return s, nil
}

func salvage(path string, at time.Time, replace func(uint64, []byte) ([]byte, []byte, error)) (s Salvaged, err error) {
	lock, err := lockFile(path+".lock", lockWait)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	im, err := newImage(f)
	if err != nil {
		return s, err
	}
	found := im.scan()
	if found.tail.first == 0 {
		return s, fmt.Errorf("%w: nothing says where it stood", ErrDamaged)
	}

	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	db, err := openBolt(fresh, 0)
	if err != nil {
		return s, err
	}
	s, err = found.write(im, db, replace)
	if err == nil {
		err = db.Sync()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return s, err
	}
	// A second name first, then the old name to the new file: at no moment
	// is there no file, for which Open would make an empty one.
	s.Aside = path + ".damaged-" + at.UTC().Format("20060102T150405Z")
	if err := os.Link(path, s.Aside); err != nil {
		return s, err
	}
	return s, install(fresh, path)
}

// place is where in the file an entry is.
type place struct {
	page  uint64
	index int
	inner int // its place in the inline bucket at index, -1 if that is none
}

// findings are the whole entries of a file, wherever they are in it.
type findings struct {
	entries map[uint64]place
	tail    tail // the newest there is
}

// scan looks at every page, whether anything leads to it or not. Entries and
// tails have digests, so nothing is taken for one that is none; but what was
// deleted may still be found.
func (im image) scan() findings {
	f := findings{entries: map[uint64]place{}}
	for id := range im.pages {
		p, err := im.page(id)
		if err != nil || p.flags != leafPage {
			continue
		}
		elements, err := p.elements()
		if err != nil {
			continue
		}
		for i, e := range elements {
			f.see(e, place{page: id, index: i, inner: -1})
			inline, err := e.inline()
			if err != nil {
				continue
			}
			for k, e := range inline {
				f.see(e, place{page: id, index: i, inner: k})
			}
		}
	}
	return f
}

// see takes an element for what its digest says that it is.
func (f *findings) see(e element, at place) {
	switch {
	case e.bucket:
	case len(e.key) == 8:
		if _, _, err := decodeEntry(sequence(e.key), e.value); err == nil {
			f.entries[sequence(e.key)] = at
		}
	case bytes.Equal(e.key, tailKey):
		if t, err := decodeTail(e.value); err == nil && t.newer(f.tail) {
			f.tail = t
		}
	}
}

// salvageBatch is how many records one commit of the new file holds.
const salvageBatch = 500

// write fills an empty file with what was found, and with replacements.
func (f findings) write(im image, db *bolt.DB, replace func(uint64, []byte) ([]byte, []byte, error)) (s Salvaged, err error) {
	if err := migrate(db, migrations); err != nil {
		return s, err
	}
	newest := f.tail.sequence
	for seq := range f.entries {
		newest = max(newest, seq) // a commit whose tail was lost
	}
	link, next := f.tail.link, f.tail.first
	if next <= f.tail.sequence {
		link = nil // of the record before the first, which is deleted
	}
	for next <= newest {
		err := db.Update(func(tx *bolt.Tx) error {
			events := tx.Bucket(eventsBucket)
			events.FillPercent = 1
			for end := min(newest, next+salvageBatch-1); next <= end; next++ {
				entry, err := f.read(im, next)
				if err == nil {
					s.Kept++
				} else {
					record, l, err := replace(next, link)
					if err != nil {
						return fmt.Errorf("cannot replace record %d: %w", next, err)
					}
					if len(l) != LinkSize {
						return fmt.Errorf("cannot replace record %d: link of %d bytes", next, len(l))
					}
					entry = encodeEntry(next, l, record)
					s.Lost = append(s.Lost, next)
				}
				if link, _, err = decodeEntry(next, entry); err != nil {
					return err
				}
				if err := events.Put(key(next), entry); err != nil {
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
		return writeTail(tx, tail{sequence: newest, link: link, first: f.tail.first})
	})
}

// read fetches an entry that scan saw, and checks it anew.
func (f findings) read(im image, seq uint64) ([]byte, error) {
	at, ok := f.entries[seq]
	if !ok {
		return nil, ErrDamaged
	}
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
