package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// check tells whether a file can be given to bbolt, and whether it holds what
// an outbox must: every record from the tail's first to its newest, unaltered.
// It reads all of the file that is in use. A file of another format passes as
// far as it is whole: see migrate.
func check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	im, err := newImage(f)
	if err != nil {
		return err
	}
	roots := im.roots()
	if len(roots) == 0 {
		return fmt.Errorf("%w: no meta page is valid", ErrDamaged)
	}
	if roots[0].end > im.pages {
		return fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	if roots[0].free != noFreelist {
		return fmt.Errorf("%w: another program wrote to it", ErrSchema) // ours keeps no such list
	}
	w := walker{image: im, end: roots[0].end, seen: make([]bool, roots[0].end)}
	buckets := map[string]element{}
	err = w.tree(roots[0].page, nil, nil, func(e element) error {
		if e.bucket {
			buckets[string(e.key)] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range [][]byte{metaBucket, eventsBucket, cursorsBucket} {
		if _, ok := buckets[string(name)]; ok {
			continue
		}
		if im.scan().tail.first == 0 {
			return fmt.Errorf("%w: it is no outbox", ErrSchema)
		}
		return fmt.Errorf("%w: bucket %s is missing", ErrDamaged, name)
	}
	t, err := w.outbox(buckets)
	if err != nil || len(roots) == 2 {
		return err
	}
	// One meta page is torn, by a cut in the last commit or worse. bbolt would
	// go back to the commit before, and forget what may have been promised.
	if newest := im.scan().tail; newest.newer(t) {
		return fmt.Errorf("%w: its last commit is torn", ErrDamaged)
	}
	return nil
}

func newImage(f *os.File) (image, error) {
	info, err := f.Stat()
	if err != nil {
		return image{}, err
	}
	return image{file: f, pages: uint64(info.Size()) / pageSize}, nil
}

// outbox checks what the buckets hold, and gives the tail.
func (w *walker) outbox(buckets map[string]element) (t tail, err error) {
	var known bool
	err = w.bucket(buckets[string(metaBucket)], func(e element) (err error) {
		switch {
		case bytes.Equal(e.key, schemaKey):
			known = bytes.Equal(e.value, key(uint64(len(migrations))))
		case bytes.Equal(e.key, tailKey):
			t, err = decodeTail(e.value)
		}
		return err
	})
	if err != nil {
		return t, err
	}
	next := t.first
	err = w.bucket(buckets[string(eventsBucket)], func(e element) error {
		if !known {
			return nil
		}
		if !bytes.Equal(e.key, key(next)) {
			return fmt.Errorf("%w: record %d is not where it should be", ErrDamaged, next)
		}
		next++
		_, _, err := decodeEntry(next-1, e.value)
		return err
	})
	for name, e := range buckets {
		if err == nil && name != string(metaBucket) && name != string(eventsBucket) {
			err = w.bucket(e, func(element) error { return nil })
		}
	}
	if err == nil && known && next != t.sequence+1 {
		err = fmt.Errorf("%w: records %d to %d are missing", ErrDamaged, next, t.sequence)
	}
	return t, err
}

// walker visits the pages that a root leads to, each at most once.
type walker struct {
	image
	end  uint64
	seen []bool
}

var errTwice = errors.New("a page is used twice")

// bucket visits the elements of a bucket's leaves, none of which may be
// buckets: no format has any there.
func (w *walker) bucket(e element, leaf func(element) error) error {
	flat := func(inner element) error {
		if inner.bucket {
			return fmt.Errorf("%w: bucket %q", ErrDamaged, e.key)
		}
		return leaf(inner)
	}
	if len(e.value) < bucketHead {
		return fmt.Errorf("%w: bucket %q", ErrDamaged, e.key)
	}
	if id := order.Uint64(e.value); id != 0 {
		return w.tree(id, nil, nil, flat)
	}
	elements, err := e.inline()
	if err != nil {
		return err
	}
	for _, e := range elements {
		if err := flat(e); err != nil {
			return err
		}
	}
	return nil
}

// tree visits the leaves below a page, in order. All keys must be at least
// from, and less than to (nil: no bound). It ends, as no page comes twice.
func (w *walker) tree(id uint64, from, to []byte, leaf func(element) error) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	for i := id; i < id+p.size(); i++ {
		if i >= w.end || w.seen[i] {
			return fmt.Errorf("%w: page %d: %w", ErrDamaged, i, errTwice)
		}
		w.seen[i] = true
	}
	elements, err := p.elements()
	if err != nil {
		return err
	}
	if n := len(elements); n > 0 && (bytes.Compare(elements[0].key, from) < 0 || to != nil && bytes.Compare(elements[n-1].key, to) >= 0) {
		return fmt.Errorf("%w: page %d has keys of another's", ErrDamaged, id)
	}
	for i, e := range elements {
		if p.flags == leafPage {
			if err := leaf(e); err != nil {
				return err
			}
			continue
		}
		bound := to
		if i+1 < len(elements) {
			bound = elements[i+1].key
		}
		if err := w.tree(e.child, e.key, bound, leaf); err != nil {
			return err
		}
	}
	return nil
}
