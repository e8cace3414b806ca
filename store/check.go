package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// check fails if bbolt must not open a file, or if the file is not a complete
// outbox with every record from the tail's first to its newest, unaltered. It
// reads all pages in use. A file of another format passes if its pages are
// valid: see migrate.
func check(path string) error {
	f, im, roots, err := openImage(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(roots) == 0 {
		return fmt.Errorf("%w: no meta page is valid", ErrDamaged)
	}
	if roots[0].end > im.pages {
		return fmt.Errorf("%w: its end is missing", ErrDamaged)
	}
	if roots[0].free != noFreelist {
		return fmt.Errorf("%w: another program wrote to it", ErrSchema) // this package stores no free list
	}
	w := walker{image: im, end: roots[0].end, seen: make([]bool, roots[0].end)}
	buckets := map[string]element{}
	var top sequenceRun
	err = w.tree(roots[0].page, nil, nil, func(e element) error {
		switch {
		case e.bucket && len(e.key) == 8:
			return w.bucket(e, func(inner element) error {
				if !bytes.Equal(inner.key, e.key) {
					return fmt.Errorf("%w: record %d is in the wrong place", ErrDamaged, sequence(e.key))
				}
				return top.add(inner)
			})
		case e.bucket:
			buckets[string(e.key)] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	t, err := w.outbox(buckets, top)
	if errors.Is(err, errMissing) && im.scan().tail.first == 0 {
		return fmt.Errorf("%w: it is not an outbox", ErrSchema)
	}
	if err != nil || len(roots) == 2 {
		return err
	}
	// One meta page is invalid, after a power cut in the last commit or other
	// damage. bbolt would go back to the previous commit and lose records that
	// Append may have confirmed.
	if newest := im.scan().tail; newest.newer(t) {
		return fmt.Errorf("%w: its last commit is torn", ErrDamaged)
	}
	return nil
}

// openImage opens a file without bbolt and reads its roots. The caller closes the file.
func openImage(path string) (f *os.File, im image, roots []root, err error) {
	if f, err = os.Open(path); err != nil {
		return nil, image{}, nil, err
	}
	if im, err = newImage(f); err == nil {
		roots, err = im.roots()
	}
	if err != nil {
		return nil, image{}, nil, errors.Join(err, f.Close())
	}
	return f, im, roots, nil
}

func newImage(f *os.File) (image, error) {
	info, err := f.Stat()
	if err != nil {
		return image{}, err
	}
	return image{file: f, pages: uint64(info.Size()) / pageSize}, nil
}

// errMissing says that a bucket is missing that every outbox has.
var errMissing = fmt.Errorf("%w: a bucket is missing", ErrDamaged)

// outbox checks the content of the named buckets, compares the records with the
// tail, and returns the tail.
func (w *walker) outbox(buckets map[string]element, records sequenceRun) (t tail, err error) {
	names := [][]byte{metaBucket, cursorsBucket, deadLettersBucket}
	var format uint64
	if meta, ok := buckets[string(metaBucket)]; ok {
		err = w.bucket(meta, func(e element) (err error) {
			switch {
			case bytes.Equal(e.key, schemaKey):
				format, err = decodeSchema(e.value)
			case bytes.Equal(e.key, tailKey):
				t, err = decodeTail(e.value)
			}
			return err
		})
	}
	if err != nil {
		return t, err
	}
	if format == 1 {
		names[2] = eventsBucket
	}
	for _, name := range names {
		if _, ok := buckets[string(name)]; !ok && format <= uint64(len(migrations)) {
			return t, fmt.Errorf("%w: %s", errMissing, name)
		}
	}
	for name, e := range buckets {
		if name == string(metaBucket) {
			continue
		}
		err := w.bucket(e, func(e element) error {
			switch {
			case format == 1 && name == string(eventsBucket):
				return records.add(e)
			case name == string(deadLettersBucket) && len(e.key) == 9:
				_, _, err := decodeEntry(sequence(e.key[1:]), e.value)
				return err
			}
			return nil
		})
		if err != nil {
			return t, err
		}
	}
	if format <= uint64(len(migrations)) {
		err = records.check(t)
	}
	return t, err
}

// sequenceRun is a range of records without a gap.
type sequenceRun struct {
	first, last uint64 // 0 when there is no record
}

func (r *sequenceRun) add(e element) error {
	if len(e.key) != 8 || r.last != 0 && sequence(e.key) != r.last+1 {
		return fmt.Errorf("%w: record %d is in the wrong place", ErrDamaged, r.last+1)
	}
	r.last = sequence(e.key)
	if r.first == 0 {
		r.first = r.last
	}
	_, _, err := decodeEntry(r.last, e.value)
	return err
}

// check compares the records with the tail.
func (r sequenceRun) check(t tail) error {
	if r.first == 0 {
		r = sequenceRun{first: t.sequence + 1, last: t.sequence}
	}
	switch {
	case r.first != t.first:
		return fmt.Errorf("%w: records %d to %d are missing", ErrDamaged, t.first, r.first-1)
	case r.last != t.sequence:
		return fmt.Errorf("%w: records %d to %d are missing", ErrDamaged, r.last+1, t.sequence)
	}
	return nil
}

// walker visits the pages below a root, each at most once.
type walker struct {
	image
	end  uint64
	seen []bool
}

var errTwice = errors.New("a page is used twice")

// bucket visits the elements of a bucket's leaf pages. It fails at a nested
// bucket, because no format has one.
func (w *walker) bucket(e element, leaf func(element) error) error {
	flat := func(inner element) error {
		if inner.bucket {
			return fmt.Errorf("%w: bucket %q holds another bucket", ErrDamaged, e.key)
		}
		return leaf(inner)
	}
	if len(e.value) < bucketHead {
		return fmt.Errorf("%w: bucket %q has no header", ErrDamaged, e.key)
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

// tree visits the leaf pages below a page, in order. All keys must be at least
// from and less than to (nil: no bound). It always ends, because it fails at a
// page that comes a second time.
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
		return fmt.Errorf("%w: page %d has keys of another page", ErrDamaged, id)
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
