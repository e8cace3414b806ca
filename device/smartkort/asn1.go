package smartkort

import (
	"fmt"

	"smartkiosk/device/apdu/tlv"
)

// Universal tags (ITU-T X.680 §8.6) and the context tags that the directories
// use. Context tags are constructed unless the name says primitive.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagEnumerated  = 0x0A
	tagUTF8        = 0x0C
	tagTime        = 0x18 // GeneralizedTime
	tagSequence    = 0x30
	tag0Primitive  = 0x80
	tag0           = 0xA0
	tag1           = 0xA1
	tag2           = 0xA2
	tag5           = 0xA5
)

// fields reads the elements of a SEQUENCE in order. After the first error all
// further calls return zero values, so callers check err once, at the end.
// Elements after the last one that was read are extensions and are ignored.
type fields struct {
	rest []byte
	err  error
}

// optional reads the next element, if it has this tag.
func (f *fields) optional(tag uint32) (value []byte, ok bool) {
	if f.err != nil || len(f.rest) == 0 {
		return nil, false
	}
	o, rest, err := tlv.Next(f.rest)
	if err != nil {
		f.err = fmt.Errorf("%w: %v", ErrMalformed, err)
		return nil, false
	}
	if o.Tag != tag {
		return nil, false
	}
	f.rest = rest
	return o.Value, true
}

// skip passes over the next element, whatever its tag.
func (f *fields) skip() {
	if f.err != nil || len(f.rest) == 0 {
		return
	}
	if _, rest, err := tlv.Next(f.rest); err == nil {
		f.rest = rest
	}
}

// required reads the next element, which must have this tag.
func (f *fields) required(tag uint32) []byte {
	value, ok := f.optional(tag)
	if !ok && f.err == nil {
		f.err = fmt.Errorf("%w: tag %02X is missing", ErrMalformed, tag)
	}
	return value
}

// sequence reads a nested SEQUENCE, which is required.
func (f *fields) sequence(tag uint32) *fields {
	return &fields{rest: f.required(tag), err: f.err}
}

// integer reads an optional INTEGER of at most four bytes under this tag.
func (f *fields) integer(tag uint32) (n int, ok bool) {
	v, ok := f.optional(tag)
	if !ok {
		return 0, false
	}
	if len(v) == 0 || len(v) > 4 {
		f.err = fmt.Errorf("%w: integer of %d bytes", ErrMalformed, len(v))
		return 0, false
	}
	var u uint32
	if v[0]&0x80 != 0 {
		u = 0xFFFFFFFF
	}
	for _, b := range v {
		u = u<<8 | uint32(b)
	}
	return int(int32(u)), true
}

// natural reads a required integer from 0 to most.
func (f *fields) natural(tag uint32, most int) int {
	n, ok := f.integer(tag)
	if f.err == nil && (!ok || n < 0 || n > most) {
		f.err = fmt.Errorf("%w: number %d under tag %02X, 0 to %d expected", ErrMalformed, n, tag, most)
	}
	return n
}

// boolean reads an optional BOOLEAN; the default is false.
func (f *fields) boolean() bool {
	v, ok := f.optional(tagBoolean)
	return ok && len(v) == 1 && v[0] != 0
}

// into copies the error of nested to f.
func (f *fields) into(nested *fields) {
	if f.err == nil {
		f.err = nested.err
	}
}

// bits is the value of a BIT STRING: the count of unused bits, then the bits,
// most significant first.
type bits []byte

func (b bits) has(n int) bool {
	return len(b) > 1+n/8 && b[1+n/8]&(0x80>>(n%8)) != 0
}

// path reads a Path: efidOrPath OCTET STRING, index INTEGER OPTIONAL, length
// [0] INTEGER OPTIONAL (ISO 7816-15 §8.2.5).
func (f *fields) path() Path {
	s := f.sequence(tagSequence)
	p := s.pathBody()
	f.into(s)
	return p
}

func (f *fields) pathBody() Path {
	p := Path{File: f.required(tagOctetString)}
	if n, ok := f.integer(tagInteger); ok {
		p.Offset = n
	}
	if n, ok := f.integer(tag0Primitive); ok {
		p.Length = n
	}
	if f.err == nil && (p.Offset < 0 || p.Offset > 0x7FFF || p.Length < 0) {
		f.err = fmt.Errorf("%w: path at offset %d of %d bytes", ErrMalformed, p.Offset, p.Length)
	}
	return p
}

// common is the part that all objects start with (CommonObjectAttributes, ISO
// 7816-15 §8.2.10).
type common struct {
	label   string
	authID  []byte // of the PIN that guards the object
	consent int    // uses of the key per PIN verification, 0 for no limit
}

func (f *fields) common() common {
	s := f.sequence(tagSequence)
	var c common
	if v, ok := s.optional(tagUTF8); ok {
		c.label = label(v)
	}
	s.optional(tagBitString)
	c.authID, _ = s.optional(tagOctetString)
	c.consent, _ = s.integer(tagInteger)
	f.into(s)
	return c
}
