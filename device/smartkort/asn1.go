package smartkort

import (
	"fmt"

	"smartkiosk/device/apdu/tlv"
)

// Universal tags (ITU-T X.680 §8.6) and those of context that the directories
// use, constructed unless it says primitive.
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

// fields walks the elements of a SEQUENCE in their order. After the first
// error every further call gives nothing, so that err is looked at once, at
// the end; elements that nobody asks for are extensions and are passed over.
type fields struct {
	rest []byte
	err  error
}

// optional takes the next element, if it has this tag.
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

// required takes the next element, which must have this tag.
func (f *fields) required(tag uint32) []byte {
	value, ok := f.optional(tag)
	if !ok && f.err == nil {
		f.err = fmt.Errorf("%w: tag %02X is not where it should be", ErrMalformed, tag)
	}
	return value
}

// sequence takes a nested SEQUENCE, which must be there.
func (f *fields) sequence(tag uint32) *fields {
	return &fields{rest: f.required(tag), err: f.err}
}

// integer takes an INTEGER of at most four bytes, whatever its tag.
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

// natural is an integer that must be there and lie in 0 … most.
func (f *fields) natural(tag uint32, most int) int {
	n, ok := f.integer(tag)
	if f.err == nil && (!ok || n < 0 || n > most) {
		f.err = fmt.Errorf("%w: number %d under tag %02X, 0 to %d expected", ErrMalformed, n, tag, most)
	}
	return n
}

// boolean takes a BOOLEAN, false where there is none.
func (f *fields) boolean() bool {
	v, ok := f.optional(tagBoolean)
	return ok && len(v) == 1 && v[0] != 0
}

// into adopts the error of a nested walk.
func (f *fields) into(nested *fields) {
	if f.err == nil {
		f.err = nested.err
	}
}

// bits is the value of a BIT STRING: its unused bits, then the bits from the
// most significant on.
type bits []byte

func (b bits) has(n int) bool {
	return len(b) > 1+n/8 && b[1+n/8]&(0x80>>(n%8)) != 0
}

// path takes a Path: efidOrPath OCTET STRING, index INTEGER OPTIONAL, length
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

// common is what every object begins with (CommonObjectAttributes, ISO
// 7816-15 §8.2.10).
type common struct {
	label   string
	authID  []byte // of the PIN that guards the object
	consent int    // uses of the key that one verification is good for, 0 for any number
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
