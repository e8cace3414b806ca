package trust

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"io"
)

// The tags that a CRL is read by (ITU-T X.690 §8.1.2).
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagExtensions      = 0xA0 // [0] EXPLICIT
)

// derStream reads DER from a stream, element by element, without holding
// more than one of them.
type derStream struct {
	in     *bufio.Reader
	offset int64     // bytes read so far
	head   []byte    // what was read while there is no hash, with keep
	keep   bool      // gather what is read in head
	hash   hash.Hash // takes what is read; may be nil
}

func (d *derStream) read(b []byte) error {
	n, err := io.ReadFull(d.in, b)
	d.offset += int64(n)
	if d.keep {
		d.head = append(d.head, b[:n]...)
	}
	if d.hash != nil {
		d.hash.Write(b[:n])
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is cut short")
	}
	return err
}

// hashFrom has everything read since keep was set, and what is read from now
// on, go into h.
func (d *derStream) hashFrom(h hash.Hash) {
	h.Write(d.head)
	d.hash, d.keep, d.head = h, false, nil
}

// peek gives the next tag without reading it.
func (d *derStream) peek() (byte, error) {
	b, err := d.in.Peek(1)
	if err != nil {
		return 0, errors.New("it is cut short")
	}
	return b[0], nil
}

// header reads tag and length of the element that must have the given tag
// and end within limit (an offset). It gives the offset of the element's end.
// Lengths are definite and in the shortest form (ITU-T X.690 §10.1).
func (d *derStream) header(tag byte, limit int64) (end int64, err error) {
	var b [2]byte
	if err := d.read(b[:]); err != nil {
		return 0, err
	}
	if b[0] != tag {
		return 0, fmt.Errorf("tag %02x at byte %d, not %02x", b[0], d.offset-2, tag)
	}
	length := int64(b[1])
	if length >= 0x80 {
		var more [4]byte
		n := int(b[1] & 0x7F)
		if n == 0 || n > len(more) {
			return 0, fmt.Errorf("a length that is indefinite or too long at byte %d", d.offset-1)
		}
		if err := d.read(more[:n]); err != nil {
			return 0, err
		}
		length = 0
		for _, c := range more[:n] {
			length = length<<8 | int64(c)
		}
		if more[0] == 0 || length < 0x80 {
			return 0, fmt.Errorf("a length not in its shortest form at byte %d", d.offset)
		}
	}
	if end = d.offset + length; end > limit {
		return 0, fmt.Errorf("an element that ends after what it is part of at byte %d", d.offset)
	}
	return end, nil
}

// content reads the content of the next element, of at most max bytes.
func (d *derStream) content(tag byte, limit int64, max int) ([]byte, error) {
	end, err := d.header(tag, limit)
	if err != nil {
		return nil, err
	}
	if end-d.offset > int64(max) {
		return nil, d.tooLong(end, max)
	}
	b := make([]byte, end-d.offset)
	return b, d.read(b)
}

// contentIn is content of at most what room holds, read into it.
func (d *derStream) contentIn(room []byte, tag byte, limit int64) ([]byte, error) {
	end, err := d.header(tag, limit)
	if err != nil {
		return nil, err
	}
	if end-d.offset > int64(len(room)) {
		return nil, d.tooLong(end, len(room))
	}
	b := room[:end-d.offset]
	return b, d.read(b)
}

func (d *derStream) tooLong(end int64, max int) error {
	return fmt.Errorf("an element of %d bytes at byte %d, at most %d are read", end-d.offset, d.offset, max)
}
