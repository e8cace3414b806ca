package smartkort

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// readBlock reads up to n bytes of the selected file from offset. No data
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
		if _, err := c.selectFile(ctx, p); err != nil {
			return nil, err
		}
		return c.readCurrent(ctx, p)
	})
}

// once returns the content at a path that was read in this visit or an earlier
// one. If there is none, it calls read.
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

// readCurrent reads p's object. p's file must be selected.
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
			return nil, fmt.Errorf("%w: file ends inside an object, after %d bytes", ErrMalformed, len(object))
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
		want = min(c.channel.largest(), total-len(object))
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// readDirectory reads the objects of a directory file. It stops at the first
// block that contains padding (00 or FF) after an object. Padding between
// objects of one block is skipped. The result ends with the last object.
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

// objectsEnd returns where the last whole object ends, and whether only
// padding follows it. It returns an error for a directory with too many
// objects, so that the rest is not read.
func objectsEnd(file []byte) (end int, whole bool, err error) {
	rest := tlv.SkipPadding(file)
	for objects := 1; len(rest) > 0; objects++ {
		n, err := tlv.Size(rest)
		switch {
		case objects > maxObjects:
			return 0, false, fmt.Errorf("%w: directory of more than %d objects", ErrMalformed, maxObjects)
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
