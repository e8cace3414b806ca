// Package tlv reads and writes the BER-TLV data objects of smart cards (ISO/IEC
// 7816-4 §5.2.2, ISO/IEC 8825-1 §8.1): file control information, the directory
// files of ISO 7816-15 (which are DER) and certificates.
//
// It reads in place and allocates nothing. It checks every length against the
// bytes that exist. It accepts lengths that are not encoded in the shortest
// form, because some cards write them.
package tlv

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// Object is one data object.
type Object struct {
	Tag   uint32 // all tag bytes, big-endian: 0x61, 0x7F49
	Value []byte
	Raw   []byte // tag, length and value
}

// Errors. After ErrTruncated the caller can try again with more bytes.
var (
	ErrMalformed = errors.New("malformed TLV")
	ErrTruncated = errors.New("truncated TLV")
)

// Size returns the length of the object at the start of b, header and value. b
// needs to contain only the header; without it the error is ErrTruncated. The
// length is what the card states and may be wrong.
func Size(b []byte) (int, error) {
	_, header, length, err := head(b)
	return header + length, err
}

// Next returns the object at the start of b and the bytes after it. Both alias
// b.
func Next(b []byte) (o Object, rest []byte, err error) {
	tag, header, length, err := head(b)
	if err != nil {
		return Object{}, nil, err
	}
	if length > len(b)-header {
		return Object{}, nil, fmt.Errorf("%w: tag %X has length %d, but only %d bytes follow", ErrTruncated, tag, length, len(b)-header)
	}
	end := header + length
	return Object{Tag: tag, Value: b[header:end:end], Raw: b[:end:end]}, b[end:], nil
}

// Objects iterates over the objects in b and skips the 00 and FF bytes before,
// between and after them (ISO 7816-4 §5.2.2.1). The iteration ends after an
// error.
func Objects(b []byte) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for b = SkipPadding(b); len(b) > 0; b = SkipPadding(b) {
			o, rest, err := Next(b)
			if !yield(o, err) || err != nil {
				return
			}
			b = rest
		}
	}
}

// Find follows the tags of path, each inside the object before it, and returns
// the value of the last. ok is false when a tag is missing or malformed.
func Find(b []byte, path ...uint32) (value []byte, ok bool) {
	for _, tag := range path {
		if b, ok = child(b, tag); !ok {
			return nil, false
		}
	}
	return b, true
}

func child(b []byte, tag uint32) ([]byte, bool) {
	for o, err := range Objects(b) {
		if err != nil {
			return nil, false
		}
		if o.Tag == tag {
			return o.Value, true
		}
	}
	return nil, false
}

// SkipPadding returns b without the 00 and FF bytes at its start. No tag on a
// card starts with these (ISO 7816-4 §5.2.2.1).
func SkipPadding(b []byte) []byte {
	for len(b) > 0 && (b[0] == 0x00 || b[0] == 0xFF) {
		b = b[1:]
	}
	return b
}

// Append appends an object to b and encodes its length in the shortest form.
func Append(b []byte, tag uint32, value ...byte) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if tag>>shift != 0 || shift == 0 {
			b = append(b, byte(tag>>shift))
		}
	}
	n := len(value)
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, value...)
}

// head decodes tag and length. Tags have up to three bytes (ISO 7816-4
// §5.2.2.1), lengths up to four after the first (§5.2.2.2). Cards do not use
// BER's indefinite form.
func head(b []byte) (tag uint32, header, length int, err error) {
	if len(b) == 0 {
		return 0, 0, 0, fmt.Errorf("%w: no tag", ErrTruncated)
	}
	tag, header = uint32(b[0]), 1
	if b[0]&0x1F == 0x1F {
		for {
			if header == len(b) {
				return 0, 0, 0, fmt.Errorf("%w: tag ends early", ErrTruncated)
			}
			if header == 3 {
				return 0, 0, 0, fmt.Errorf("%w: tag of more than 3 bytes", ErrMalformed)
			}
			next := b[header]
			tag, header = tag<<8|uint32(next), header+1
			if next&0x80 == 0 {
				break
			}
		}
	}
	if header == len(b) {
		return 0, 0, 0, fmt.Errorf("%w: tag %X without length", ErrTruncated, tag)
	}
	first := b[header]
	header++
	if first < 0x80 {
		return tag, header, int(first), nil
	}
	n := int(first & 0x7F)
	if n == 0 || n > 4 {
		return 0, 0, 0, fmt.Errorf("%w: length byte %02X of tag %X", ErrMalformed, first, tag)
	}
	if len(b)-header < n {
		return 0, 0, 0, fmt.Errorf("%w: length of tag %X ends early", ErrTruncated, tag)
	}
	var l uint32
	for _, v := range b[header : header+n] {
		l = l<<8 | uint32(v)
	}
	if l > math.MaxInt32-16 { // header plus length must fit into an int of 32 bits
		return 0, 0, 0, fmt.Errorf("%w: tag %X of %d bytes", ErrMalformed, tag, l)
	}
	return tag, header + n, int(l), nil
}
