package recording

import (
	"bytes"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"smartkiosk/device/apdu/tlv"
)

// filler replaces bytes that are no text. As an INTEGER it is positive.
const filler = 0x55

// maxDepth is the maximum nesting of objects.
const maxDepth = 24

// Universal tags of ASN.1 (X.680 §8.4).
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagOID         = 0x06
	tagUTCTime     = 0x17
	tagTime        = 0x18
	tagBMPString   = 0x1E
	tagSequence    = 0x30
)

// texts are the tags of character strings.
var texts = map[uint32]bool{0x0C: true, 0x12: true, 0x13: true, 0x14: true, 0x15: true, 0x16: true, 0x19: true, 0x1A: true, 0x1B: true, 0x1C: true}

// anonymiser replaces personal data in what a card said. See the package doc.
type anonymiser struct {
	key      []byte   // of the pseudonyms
	selected [][]byte // the data of all SELECTs of the session
}

func newAnonymiser() *anonymiser {
	key := make([]byte, 32)
	rand.Read(key)
	return &anonymiser{key: key}
}

// replace replaces the personal data in the first bytes of a file or in a response,
// in place. It keeps headers only of objects that are well-formed throughout, because
// text and numbers can look like single headers. The last object may be cut off if its
// length has the long form, which text does not look like.
func (a *anonymiser) replace(b []byte) {
	for len(b) > 0 {
		if b = tlv.SkipPadding(b); len(b) == 0 {
			return
		}
		size, err := tlv.Size(b)
		if err != nil || !constructed(b[0]) {
			fill(b, filler)
			return
		}
		object, cut := b[:min(size, len(b))], size > len(b)
		header := headerLength(b)
		if cut && header < 3 || !wellFormed(object[header:], cut, 1) {
			fill(b, filler)
			return
		}
		a.object(object, cut, false)
		b = b[len(object):]
	}
}

// wellFormed reports whether b consists of objects. cut allows the last one to be cut
// off.
func wellFormed(b []byte, cut bool, depth int) bool {
	for len(b) > 0 {
		size, err := tlv.Size(b)
		if err != nil {
			return cut && errors.Is(err, tlv.ErrTruncated)
		}
		if depth > maxDepth || size > len(b) && !cut {
			return false
		}
		object := b[:min(size, len(b))]
		if constructed(b[0]) && !wellFormed(object[headerLength(b):], size > len(b), depth+1) {
			return false
		}
		b = b[len(object):]
	}
	return true
}

// object replaces the values in a well-formed object. cut means that its end is
// missing.
func (a *anonymiser) object(o []byte, cut, certificate bool) {
	tag, value := tagOf(o), o[headerLength(o):]
	if !constructed(o[0]) {
		a.value(tag, value, cut, certificate)
		return
	}
	certificate = certificate || tag == tagSequence && isCertificate(value)
	for len(value) > 0 {
		size, err := tlv.Size(value)
		if err != nil { // the header is cut off
			fill(value, filler)
			return
		}
		inner := value[:min(size, len(value))]
		a.object(inner, size > len(value), certificate)
		value = value[len(inner):]
	}
}

func constructed(first byte) bool { return first&0x20 != 0 }

// tagOf returns the tag of the object at the start of b, whose header is whole.
func tagOf(b []byte) uint32 {
	tag := uint32(b[0])
	if b[0]&0x1F != 0x1F {
		return tag
	}
	for _, next := range b[1:] {
		tag = tag<<8 | uint32(next)
		if next&0x80 == 0 {
			break
		}
	}
	return tag
}

// headerLength returns the length of the header at the start of b, which is whole.
func headerLength(b []byte) int {
	n := 1
	if b[0]&0x1F == 0x1F {
		for b[n]&0x80 != 0 {
			n++
		}
		n++
	}
	if b[n] < 0x80 {
		return n + 1
	}
	return n + 1 + int(b[n]&0x7F)
}

// isCertificate reports whether the value of a SEQUENCE is an X.509 certificate from
// version 2 on: a SEQUENCE that starts with [0] { INTEGER } (RFC 5280 §4.1).
func isCertificate(value []byte) bool {
	if len(value) == 0 || value[0] != tagSequence {
		return false
	}
	if _, err := tlv.Size(value); err != nil {
		return false
	}
	return bytes.HasPrefix(value[headerLength(value):], []byte{0xA0, 0x03, tagInteger, 0x01})
}

// value replaces a primitive value.
func (a *anonymiser) value(tag uint32, v []byte, cut, certificate bool) {
	switch {
	case cut:
		fill(v, filler)
	case tag == tagOID, len(v) <= 1:
	case tag == tagInteger:
		if (len(v) > 2 || certificate) && !bytes.Equal(v, []byte{0x01, 0x00, 0x01}) {
			number(v)
		}
	case tag == tagBitString:
		a.bits(v, certificate)
	case tag == tagOctetString && isObject(v):
		a.object(v, false, certificate)
	case tag == tagOctetString && len(v) > 2 && !a.isPath(v):
		a.pseudonym(v)
	case tag == tagOctetString:
	case tag == tagUTCTime:
		fill(v, '0')
		copy(v, "000101000000Z")
	case tag == tagTime:
		fill(v, '0')
		copy(v, "20000101000000Z")
	case tag == tagBMPString:
		for i := range v {
			v[i] = byte(i%2) * 'X'
		}
	case (tag == 0x4F || tag == 0x84) && len(v) <= maxNamed:
	case texts[tag] || len(v) > 2 && !a.isPath(v):
		fill(v, 'X')
	}
}

// curves are those whose points crypto/x509 checks.
var curves = []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

// bits replaces a BIT STRING, whose first byte is the number of unused bits.
func (a *anonymiser) bits(v []byte, certificate bool) {
	if len(v) <= 3 {
		return
	}
	if v[0] == 0 && isObject(v[1:]) {
		a.object(v[1:], false, certificate)
		return
	}
	for _, c := range curves {
		point := (c.Params().BitSize+7)/8*2 + 1
		if v[0] == 0 && v[1] == 4 && len(v) == 1+point {
			c.Params().Gx.FillBytes(v[2 : 2+point/2])
			c.Params().Gy.FillBytes(v[2+point/2:])
			return
		}
	}
	fill(v[1:], filler)
}

// isObject reports whether v is exactly one well-formed object of a type that
// certificates have inside strings.
func isObject(v []byte) bool {
	o, rest, err := tlv.Next(v)
	if err != nil || len(rest) > 0 {
		return false
	}
	switch o.Tag {
	case tagSequence:
		return wellFormed(o.Value, false, 2)
	case tagInteger, tagBitString, tagOctetString:
		return true
	}
	return false
}

// isPath reports whether v is a path, or a part of what the page selected.
func (a *anonymiser) isPath(v []byte) bool {
	if len(v) > maxNamed {
		return false
	}
	if len(v)%2 == 0 && (bytes.HasPrefix(v, []byte{0x3F, 0x00}) || bytes.HasPrefix(v, []byte{0x50, 0x15})) {
		return true
	}
	for _, s := range a.selected {
		if bytes.Contains(s, v) {
			return true
		}
	}
	return false
}

// pseudonym replaces v by a keyed hash of the same length.
func (a *anonymiser) pseudonym(v []byte) {
	mac := hmac.New(sha256.New, a.key)
	mac.Write(v)
	for block := mac.Sum(nil); len(v) > 0; v = v[copy(v, block):] {
		mac.Reset()
		mac.Write(block)
		block = mac.Sum(nil)
	}
}

// number replaces a positive INTEGER by another of the same number of bits, up to 8.
func number(v []byte) {
	leading := v[0] == 0
	fill(v, filler)
	if leading { // the highest bit of the next byte is set, or DER would not allow 00
		v[0], v[1] = 0, filler|0x80
	}
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}
