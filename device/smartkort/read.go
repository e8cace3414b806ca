package smartkort

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// readObject reads the object that p points to, for example a certificate, up
// to the length in its header. If the card has no lastUpdate, a remembered
// object is used only if its first bytes are still the same on the card;
// otherwise the error is errChanged.
func (c *Card) readObject(ctx context.Context, p Path) ([]byte, error) {
	if remembered, ok := c.memory[p.key()]; ok && !c.hasLastUpdate() {
		if err := c.checkPrefix(ctx, p, remembered); err != nil {
			return nil, err
		}
	}
	return c.once(p, func() ([]byte, error) {
		if len(p.Object) > 0 {
			return c.readDataObject(ctx, p.Object)
		}
		size, err := c.selectFile(ctx, p)
		if err != nil {
			return nil, err
		}
		return c.readCurrent(ctx, p, size)
	})
}

// once returns the content at a path that was read in this visit or an earlier
// one. Otherwise it calls read.
func (c *Card) once(p Path, read func() ([]byte, error)) ([]byte, error) {
	if b, ok := c.files[p.key()]; ok {
		return b, nil
	}
	if b, ok := c.memory[p.key()]; ok {
		return b, nil
	}
	b, err := read()
	if err == nil {
		c.files[p.key()] = b
	}
	return b, err
}

// readCurrent reads p's object. p's file must be selected; size is its length,
// -1 when the card did not state it.
func (c *Card) readCurrent(ctx context.Context, p Path, size int) ([]byte, error) {
	return (&fileReader{card: c, offset: p.Offset, size: size}).object(ctx, p.Length)
}

// object reads one object. length is how many bytes its path states, 0 for none.
func (r *fileReader) object(ctx context.Context, length int) ([]byte, error) {
	want, missing := blockBytes, 1
	if length > 0 {
		want = min(want, length)
	}
	for range maxBlocks {
		if !r.begun {
			if err := r.next(ctx, want, missing); err != nil {
				return nil, err
			}
		}
		r.begun = false
		total, err := tlv.Size(r.data)
		switch {
		case errors.Is(err, tlv.ErrTruncated) && !r.ended:
			continue
		case err != nil:
			return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
		case total > maxFile:
			return nil, fmt.Errorf("%w: object of %d bytes, %d at most", ErrMalformed, total, maxFile)
		case len(r.data) >= total:
			return r.data[:total], nil
		case r.ended:
			return nil, fmt.Errorf("%w: file ends inside an object, after %d of %d bytes", ErrMalformed, len(r.data), total)
		}
		missing = total - len(r.data)
		want = min(r.card.channel.largest(), missing)
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// readDirectory reads the objects of a directory file. It stops at the first
// block that contains padding (00 or FF) after an object. Padding between
// objects of one block is skipped. The result ends with the last object.
func (c *Card) readDirectory(ctx context.Context, p Path) ([]byte, error) {
	return c.once(p, func() ([]byte, error) {
		size, err := c.selectFile(ctx, p)
		if err != nil {
			return nil, err
		}
		r := fileReader{card: c, offset: p.Offset, size: size}
		return r.objects(ctx, p.Length)
	})
}

// objects reads all objects to the end of the file, or the first length bytes if
// length is not 0.
func (r *fileReader) objects(ctx context.Context, length int) ([]byte, error) {
	limit := maxFile
	if length > 0 {
		limit = min(limit, length)
	}
	if r.size > r.offset {
		limit = min(limit, r.size-r.offset)
	}
	missing := 1
	for range maxBlocks {
		want := blockBytes
		if len(r.data) < limit {
			want = min(want, limit-len(r.data))
		}
		if r.first > 0 && len(r.data) == 0 {
			want = min(want, r.first)
		}
		if !r.begun {
			if err := r.next(ctx, want, missing); err != nil {
				return nil, err
			}
		}
		r.begun = false
		end, rest, err := objectsEnd(r.data)
		if err != nil {
			return nil, err
		}
		switch {
		case rest == 0 && (end < len(r.data) || r.ended || len(r.data) >= limit):
			r.whole = true
			return r.data[:end], nil
		case r.enough != nil && end > 0 && r.enough(r.data[:end]):
			return r.data[:end], nil
		case r.ended && end > 0:
			r.card.note("directory", fmt.Errorf("%w: it ends inside an object, after %d bytes", ErrMalformed, len(r.data)))
			return r.data[:end], nil
		case r.ended:
			return nil, fmt.Errorf("%w: directory ends inside an object, after %d bytes", ErrMalformed, len(r.data))
		case len(r.data) >= maxFile:
			return nil, fmt.Errorf("%w: directory of more than %d bytes", ErrMalformed, maxFile)
		}
		missing = rest
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// objectsEnd returns where the last whole object ends, and how many bytes are
// missing at least of the object that follows it; 0 when only padding follows.
// It returns an error for a directory with too many objects, so that the rest
// is not read.
func objectsEnd(file []byte) (end, missing int, err error) {
	rest := tlv.SkipPadding(file)
	for objects := 1; len(rest) > 0; objects++ {
		n, err := tlv.Size(rest)
		switch {
		case objects > maxObjects:
			return 0, 0, fmt.Errorf("%w: directory of more than %d objects", ErrMalformed, maxObjects)
		case errors.Is(err, tlv.ErrTruncated):
			return end, 1, nil
		case err != nil:
			return 0, 0, fmt.Errorf("%w: %v", ErrMalformed, err)
		case n > maxFile:
			return 0, 0, fmt.Errorf("%w: object of %d bytes, %d at most", ErrMalformed, n, maxFile)
		case n > len(rest):
			return end, n - len(rest), nil
		}
		rest = rest[n:]
		end = len(file) - len(rest)
		rest = tlv.SkipPadding(rest)
	}
	return end, 0, nil
}

// fileReader reads the selected file from front to back. Cards differ in how
// much they return at a time and in how they answer near the end of a file:
//
//   - A card may return less than requested with 9000, because it has a limit
//     or because the file ends. The reader asks again until the card refuses.
//   - After 6282 with data the file ends (ISO 7816-4 §5.6.2). It also ends after
//     6Cxx, which states how many bytes are available (§5.6.4). Some cards use
//     6Cxx for their limit; after a length that is a likely limit the reader
//     asks again.
//   - A card may refuse to read beyond the end of the file, or more than its
//     limit, with 6B00, 6700, 6A86 or 6282 without data. The reader then
//     requests exactly the bytes of the next object, and if the card refuses
//     these too, half as many.
//   - A card of T=0 may return the whole rest of the file by 61xx. The reader
//     keeps all of it.
type fileReader struct {
	card   *Card
	offset int // of the first byte of data
	size   int // length of the file as the card states it, a hint; not positive when unknown
	data   []byte
	short  bool // the last block was shorter than requested
	exact  bool // the card refused a read that may have reached beyond the end
	ended  bool // there is no more data
	begun  bool // data has a block that the caller has read

	first  int               // bytes of the first block of a directory, 0 for blockBytes
	enough func([]byte) bool // whether a part of a directory is enough; nil to read all of it
	whole  bool              // objects returned the whole directory
}

// header is how many bytes the reader requests to learn the length of an
// object, if the card refuses more.
const header = 4

// next reads up to want bytes more. missing is how many bytes the current
// object needs at least, 0 after a whole object. If there is no more data, next
// sets ended. The error is an apdu.Status when the card refuses for a reason
// other than the length.
func (r *fileReader) next(ctx context.Context, want, missing int) error {
	c := r.card
	at := r.offset + len(r.data)
	least := max(missing, header)
	if missing == 0 {
		least = 2 // tag and length of the object that may follow
	}
	probe := missing == 0 && (r.exact || r.short)
	if r.exact || probe {
		want = min(want, least)
	}
	if rest := r.size - at; rest > 0 {
		want = min(want, rest)
	}
	if c.block > 0 {
		want = min(want, c.block)
	}
	limited := false
	for {
		block, sw, err := c.readBlock(ctx, at, want)
		if err != nil {
			return err
		}
		if len(block) > 0 {
			r.add(block, want, sw)
			if limited {
				c.block = want
			}
			return nil
		}
		switch {
		case sw == apdu.OK, probe:
			r.ended = true
			return nil
		case len(r.data) == 0 && !aboutLength(sw):
			return sw
		case missing == 0 && at > r.offset && !aboutLength(sw):
			r.ended = true
			return nil
		case !r.exact && want > least:
			r.exact, want = true, least
		case want > 1:
			want, r.exact = want/2, true
			limited = want > header
		default:
			r.ended = true
			return nil
		}
	}
}

// add appends the block that a card returned with status sw when the reader had
// requested want bytes.
func (r *fileReader) add(block []byte, want int, sw apdu.Status) {
	r.data = append(r.data, block...)
	r.short = len(block) < want
	n := r.card.channel.corrected
	r.ended = sw == apdu.EndOfFile || n > 0 && !likelyLimit(n)
}

// readBlock reads up to n bytes of the selected file from offset. It returns no
// data when the card refuses.
func (c *Card) readBlock(ctx context.Context, offset, n int) ([]byte, apdu.Status, error) {
	if offset > 0x7FFF { // P1 and P2 hold 15 bits (ISO 7816-4 §11.3.1)
		return nil, 0, fmt.Errorf("%w: offset %d", ErrMalformed, offset)
	}
	at := binary.BigEndian.AppendUint16(nil, uint16(offset))
	r, err := c.command(ctx, apdu.Command{INS: insReadBinary, P1: at[0], P2: at[1], Le: n})
	if err != nil {
		return nil, 0, err
	}
	if r.SW != apdu.OK && r.SW != apdu.EndOfFile {
		return nil, r.SW, nil
	}
	return r.Data, r.SW, nil
}

// aboutLength reports whether a status refuses the offset or the length of READ
// BINARY.
func aboutLength(sw apdu.Status) bool {
	switch sw {
	case apdu.WrongOffset, apdu.WrongLength, apdu.WrongP1P2, apdu.EndOfFile:
		return true
	}
	return false
}

// likelyLimit reports whether n is a usual limit of how many bytes a card or
// reader returns at a time: 32, 64, 128, 224, and 240 and more.
func likelyLimit(n int) bool { return n%32 == 0 || n >= 0xF0 }
