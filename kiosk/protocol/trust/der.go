package trust

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"io"
)

// The tags in a CRL (ITU-T X.690 §8.1.2).
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagExtensions      = 0xA0 // [0] EXPLICIT
)

// derStream reads DER from a stream element by element. It holds at most one
// element in memory.
type derStream struct {
	in     *bufio.Reader
	offset int64     // bytes read so far
	head   []byte    // the bytes read since keep was set, until there is a hash
	keep   bool      // append the bytes read to head
	hash   hash.Hash // gets all bytes read; may be nil
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

// hashFrom writes the bytes read since keep was set to h. From now on all bytes
// read go to h too.
func (d *derStream) hashFrom(h hash.Hash) {
	h.Write(d.head)
	d.hash, d.keep, d.head = h, false, nil
}

// peek returns the next tag without consuming it.
func (d *derStream) peek() (byte, error) {
	b, err := d.in.Peek(1)
	if err != nil {
		return 0, errors.New("it is cut short")
	}
	return b[0], nil
}

// header reads the tag and the length of the next element and returns the
// offset of the element's end. It returns an error if the tag differs from the
// given one, or if the element ends after the offset limit. Lengths must be
// definite and in the shortest form (ITU-T X.690 §10.1).
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
		return 0, fmt.Errorf("the element at byte %d ends after the element that contains it", d.offset)
	}
	return end, nil
}

// content returns the content of the next element. It returns an error if that
// is longer than max bytes.
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

// contentIn is like content, but reads into room, whose length is the maximum.
// The result is valid until room is used again.
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
