package smartkort

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// readBlock reads up to n bytes of the current file from offset. No data
// means that the file ends there.
func (c *Card) readBlock(ctx context.Context, offset, n int) ([]byte, error) {
	if offset > 0x7FFF { // P1 and P2 hold 15 bits (ISO 7816-4 §11.3.1)
		return nil, fmt.Errorf("%w: offset %d", ErrMalformed, offset)
	}
	at := binary.BigEndian.AppendUint16(nil, uint16(offset))
	r, err := c.command(ctx, apdu.Command{INS: insReadBinary, P1: at[0], P2: at[1], Le: n})
	if err != nil {
		return nil, err
	}
	switch {
	case r.SW == apdu.OK, r.SW == apdu.EndOfFile:
		return r.Data[:min(len(r.Data), n)], nil
	case offset > 0 && (r.SW == apdu.WrongOffset || r.SW == apdu.WrongP1P2 || r.SW == apdu.WrongLength):
		return nil, nil
	}
	return nil, r.SW
}

// readObject reads the one object that p points to, a certificate for
// instance, to its own length and not further. Of a card without a date one
// that is remembered is recognised by how it begins; else the error is
// errChanged.
func (c *Card) readObject(ctx context.Context, p Path) ([]byte, error) {
	if remembered, ok := c.memory[p.key()]; ok && !c.dated() {
		if err := c.beginsAs(ctx, p, remembered); err != nil {
			return nil, err
		}
	}
	return c.once(p, func() ([]byte, error) {
		if _, err := c.selectFile(ctx, p); err != nil {
			return nil, err
		}
		return c.readCurrent(ctx, p)
	})
}

// once gives what is at a path from what was read before, in this visit or an
// earlier one, else reads it.
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

// readCurrent reads p's object from the current file, which is p's.
func (c *Card) readCurrent(ctx context.Context, p Path) ([]byte, error) {
	want := blockBytes
	if p.Length > 0 {
		want = min(want, p.Length)
	}
	var object []byte
	total := -1
	for range maxBlocks {
		block, err := c.readBlock(ctx, p.Offset+len(object), want)
		if err != nil {
			return nil, err
		}
		if len(block) == 0 {
			return nil, fmt.Errorf("%w: file ends after %d bytes of an object", ErrMalformed, len(object))
		}
		object = append(object, block...)
		if total < 0 {
			if total, err = tlv.Size(object); err != nil {
				return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			if total > maxFile {
				return nil, fmt.Errorf("%w: object of %d bytes, %d at most", ErrMalformed, total, maxFile)
			}
		}
		if len(object) >= total {
			return object[:total], nil
		}
		want = min(c.line.largest(), total-len(object))
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// readDirectory reads the objects of a directory file, and of the 00 or FF
// bytes that pad it no more than the block in which they begin. Deleted
// objects inside a block are skipped likewise. What it gives ends with the
// last object.
func (c *Card) readDirectory(ctx context.Context, p Path) ([]byte, error) {
	return c.once(p, func() ([]byte, error) { return c.readObjectsAt(ctx, p) })
}

func (c *Card) readObjectsAt(ctx context.Context, p Path) ([]byte, error) {
	size, err := c.selectFile(ctx, p)
	if err != nil {
		return nil, err
	}
	limit := maxFile
	if p.Length > 0 {
		limit = min(limit, p.Length)
	}
	if size >= 0 {
		limit = min(limit, max(0, size-p.Offset))
	}
	var file []byte
	for range maxBlocks {
		want := min(blockBytes, limit-len(file))
		var block []byte
		if want > 0 {
			if block, err = c.readBlock(ctx, p.Offset+len(file), want); err != nil {
				return nil, err
			}
		}
		file = append(file, block...)
		end, whole, err := objectsEnd(file)
		if err != nil {
			return nil, err
		}
		switch {
		case end < len(file) && whole: // padding
			return file[:end], nil
		case whole && len(block) < blockBytes:
			return file, nil
		case len(block) == 0 || len(file) >= limit:
			if whole {
				return file, nil
			}
			return nil, fmt.Errorf("%w: directory ends inside an object, after %d bytes", ErrMalformed, len(file))
		}
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// objectsEnd finds where the last whole object ends, and whether nothing but
// padding follows it. It gives up a directory of too many objects, so that the
// rest of it is not read.
func objectsEnd(file []byte) (end int, whole bool, err error) {
	rest := tlv.SkipPadding(file)
	for objects := 1; len(rest) > 0; objects++ {
		n, err := tlv.Size(rest)
		switch {
		case objects > maxObjects:
			return 0, false, fmt.Errorf("%w: directory of over %d objects", ErrMalformed, maxObjects)
		case errors.Is(err, tlv.ErrTruncated):
			return end, false, nil
		case err != nil:
			return 0, false, fmt.Errorf("%w: %v", ErrMalformed, err)
		case n > maxFile:
			return 0, false, fmt.Errorf("%w: object of %d bytes, %d at most", ErrMalformed, n, maxFile)
		case n > len(rest):
			return end, false, nil
		}
		rest = rest[n:]
		end = len(file) - len(rest)
		rest = tlv.SkipPadding(rest)
	}
	return end, true, nil
}
