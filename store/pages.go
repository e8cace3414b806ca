package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads a bbolt file without bbolt, page by page, and validates all
// that it reads. bbolt does not: on a damaged file it panics, also in its own
// goroutines, where a caller cannot recover.
//
// The format is that of bbolt's internal/common (page.go, meta.go, inode.go,
// bucket.go), version 2. All numbers are in the machine's byte order.

var order = binary.NativeEndian

const (
	branchPage = 0x01
	leafPage   = 0x02

	pageHead     = 16 // id 8, flags 2, count 2, overflow 4
	elementHead  = 16 // in a branch: pos 4, ksize 4, id 8; in a leaf: flags 4, pos 4, ksize 4, vsize 4
	bucketHead   = 16 // root 8, sequence 8
	bucketFlag   = 0x01
	maxOverflow  = 1 << 12 // pages; bbolt needs but a few for records of our size
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	metaChecksum = 56 // bytes that it is over
	noFreelist   = 1<<64 - 1
)

// image gives access to the pages of a file.
type image struct {
	file  io.ReaderAt
	pages uint64 // whole ones
}

// root is the content of a meta page.
type root struct {
	page uint64 // the page of the root bucket
	free uint64 // the page of the free list
	end  uint64 // the first page that was never used
	txid uint64
}

// roots returns the content of the valid meta pages, the newest first. failed
// is set when the disk cannot read a meta page; bbolt would crash on it.
func (im image) roots() (found []root, failed error) {
	for id := range min(im.pages, 2) {
		b := make([]byte, pageHead+metaChecksum+8)
		if _, err := im.file.ReadAt(b, int64(id*pageSize)); err != nil {
			failed = unreadablePage(id, err)
			continue
		}
		m := b[pageHead:]
		h := fnv.New64a()
		h.Write(m[:metaChecksum])
		if order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion || order.Uint32(m[8:]) != pageSize ||
			order.Uint64(m[metaChecksum:]) != h.Sum64() {
			continue
		}
		found = append(found, root{page: order.Uint64(m[16:]), free: order.Uint64(m[32:]), end: order.Uint64(m[40:]), txid: order.Uint64(m[48:])})
	}
	if len(found) == 2 && found[1].txid > found[0].txid {
		found[0], found[1] = found[1], found[0]
	}
	return found, failed
}

// page is one page with its overflow pages.
type page struct {
	id    uint64
	flags uint16
	count int
	body  []byte // with the header
}

func (im image) page(id uint64) (page, error) {
	if id < 2 || id >= im.pages {
		return page{}, fmt.Errorf("%w: page %d does not exist", ErrDamaged, id)
	}
	head := make([]byte, pageHead)
	if _, err := im.file.ReadAt(head, int64(id*pageSize)); err != nil {
		return page{}, unreadablePage(id, err)
	}
	p := page{id: id, flags: order.Uint16(head[8:]), count: int(order.Uint16(head[10:]))}
	overflow := uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || p.flags != branchPage && p.flags != leafPage ||
		overflow > maxOverflow || id+overflow >= im.pages {
		return page{}, fmt.Errorf("%w: page %d has an invalid header", ErrDamaged, id)
	}
	p.body = make([]byte, (overflow+1)*pageSize)
	if _, err := im.file.ReadAt(p.body, int64(id*pageSize)); err != nil {
		return page{}, unreadablePage(id, err)
	}
	return p, nil
}

// unreadablePage is the error for a page that the disk cannot read. Such a page
// counts as damaged.
func unreadablePage(id uint64, err error) error {
	return fmt.Errorf("%w: cannot read page %d: %w", ErrDamaged, id, err)
}

// size returns the number of pages that p takes.
func (p page) size() uint64 { return uint64(len(p.body)) / pageSize }

// element is a key with its value or, in a branch page, with its child page.
type element struct {
	key, value []byte
	child      uint64
	bucket     bool
}

// elements decodes a page. It fails if the keys do not ascend.
func (p page) elements() ([]element, error) {
	bad := fmt.Errorf("%w: page %d has invalid elements", ErrDamaged, p.id)
	if pageHead+p.count*elementHead > len(p.body) || p.flags == branchPage && p.count == 0 {
		return nil, bad
	}
	elements := make([]element, p.count)
	for i := range elements {
		b := p.body[pageHead+i*elementHead:]
		var e element
		var pos, ksize, vsize uint64
		if p.flags == branchPage {
			pos, ksize, e.child = uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), order.Uint64(b[8:])
		} else {
			flags := order.Uint32(b)
			pos, ksize, vsize = uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
			if e.bucket = flags == bucketFlag; flags > bucketFlag {
				return nil, bad
			}
		}
		if pos+ksize+vsize > uint64(len(b)) {
			return nil, bad
		}
		e.key, e.value = b[pos:pos+ksize], b[pos+ksize:pos+ksize+vsize]
		if i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 {
			return nil, bad
		}
		elements[i] = e
	}
	return elements, nil
}

// inline returns the elements of a small bucket, which is stored in its value.
func (e element) inline() ([]element, error) {
	if !e.bucket || len(e.value) < bucketHead+pageHead || order.Uint64(e.value) != 0 ||
		order.Uint16(e.value[bucketHead+8:]) != leafPage {
		return nil, fmt.Errorf("%w: bucket %q is invalid", ErrDamaged, e.key)
	}
	b := e.value[bucketHead:]
	return page{flags: leafPage, count: int(order.Uint16(b[10:])), body: b}.elements()
}
