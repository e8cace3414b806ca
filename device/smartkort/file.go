package smartkort

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// Instructions of ISO 7816-4 §11 and 7816-8 §11.
const (
	insVerify     = 0x20
	insMSE        = 0x22
	insPSO        = 0x2A
	insSelect     = 0xA4
	insReadBinary = 0xB0
	insReadRecord = 0xB2
)

// P1 of SELECT (ISO 7816-4 §11.2.2).
const (
	byFileID   = 0x00
	byAID      = 0x04
	fromMF     = 0x08 // a path without the MF's own identifier
	fromHere   = 0x09 // a path that starts under the current DF
	blockBytes = apdu.MaxShortLe
)

var masterFile = []byte{0x3F, 0x00}

// place is the DF in which the card's selection stands: a path, by its bytes,
// or one of these.
type place string

const (
	elsewhere     place = ""
	inApplication place = "application"
)

// Path is where a file is (ISO 7816-15 §8.2.5, PathType).
type Path struct {
	File   []byte // file identifiers of 2 bytes each; absolute when it starts with 3F00, else under the application
	Offset int    // where in the file the object starts
	Length int    // bytes that the object takes, 0 when not stated
}

// selectModes are the P2 of SELECT in the order in which they are tried: no
// answer data at all costs the fewest bytes, but not every card knows it
// (ISO 7816-4 §11.2.2). The first that a card takes is kept.
var selectModes = []byte{0x0C, 0x00, 0x04}

// selectBy sends one SELECT. It gives the size of the selected file, -1 when
// the card does not tell; a refusal comes as an apdu.Status.
func (c *Card) selectBy(ctx context.Context, p1 byte, data []byte) (size int, err error) {
	for mode := c.mode; ; mode++ {
		cmd := apdu.Command{INS: insSelect, P1: p1, P2: selectModes[mode], Data: data}
		if cmd.P2 != 0x0C {
			cmd.Le = apdu.MaxShortLe
		}
		r, err := apdu.Exchange(ctx, c.conn, cmd)
		if err != nil {
			return 0, err
		}
		// These may be about P1 or P2. What the card says of all modes is
		// about P1.
		refused := r.SW == apdu.WrongP1P2 || r.SW == apdu.WrongLength
		if refused && mode+1 < len(selectModes) {
			continue
		}
		if !refused {
			c.mode = mode
		}
		if r.SW == apdu.OK || r.SW == apdu.Deactivated {
			return fileSize(r.Data), nil
		}
		return 0, r.SW
	}
}

// fileSize reads the size from file control information: tag 80, the bytes of
// a file's body, or 81, body and structure (ISO 7816-4 §7.4.3). It gives -1
// where neither is there.
func fileSize(fci []byte) int {
	for _, template := range []uint32{0x6F, 0x62} {
		for _, tag := range []uint32{0x80, 0x81} {
			v, ok := tlv.Find(fci, template, tag)
			if !ok || len(v) == 0 || len(v) > 3 {
				continue
			}
			size := 0
			for _, b := range v {
				size = size<<8 | int(b)
			}
			return size
		}
	}
	return -1
}

// selectFile makes p's file the current one.
func (c *Card) selectFile(ctx context.Context, p Path) (size int, err error) {
	file := p.File
	if len(file) == 0 || len(file)%2 != 0 || len(file) > 16 {
		return 0, fmt.Errorf("%w: path %X", ErrMalformed, file)
	}
	if under, ok := bytes.CutPrefix(file, c.app.path); ok && len(c.app.path) > 0 && len(under) == 2 {
		file = under
	}
	if bytes.HasPrefix(file, masterFile) {
		c.at = elsewhere
		return c.selectPath(ctx, fromMF, file[2:], masterFile)
	}
	if err := c.enter(ctx); err != nil {
		return 0, err
	}
	if len(file) == 2 {
		return c.selectBy(ctx, byFileID, file)
	}
	c.at = elsewhere
	return c.selectPath(ctx, fromHere, file, nil)
}

// selectPath selects a whole path at once, or, on a card that cannot, step by
// step from start.
func (c *Card) selectPath(ctx context.Context, p1 byte, path, start []byte) (size int, err error) {
	if len(path) > 0 && !c.stepwise {
		size, err = c.selectBy(ctx, p1, path)
		var sw apdu.Status
		if !errors.As(err, &sw) || sw == apdu.FileNotFound {
			return size, err
		}
	}
	for steps := append(bytes.Clone(start), path...); len(steps) > 0; steps = steps[2:] {
		if size, err = c.selectBy(ctx, byFileID, steps[:2]); err != nil {
			return 0, err
		}
	}
	c.stepwise = c.stepwise || len(path) > 0
	return size, nil
}

// readBlock reads up to n bytes of the current file from offset. No data
// means that the file ends there.
func (c *Card) readBlock(ctx context.Context, offset, n int) ([]byte, error) {
	if offset > 0x7FFF { // P1 and P2 hold 15 bits (ISO 7816-4 §11.3.1)
		return nil, fmt.Errorf("%w: offset %d", ErrMalformed, offset)
	}
	at := binary.BigEndian.AppendUint16(nil, uint16(offset))
	r, err := apdu.Exchange(ctx, c.conn, apdu.Command{INS: insReadBinary, P1: at[0], P2: at[1], Le: n})
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
// instance, to its own length and not further.
func (c *Card) readObject(ctx context.Context, p Path) ([]byte, error) {
	if _, err := c.selectFile(ctx, p); err != nil {
		return nil, err
	}
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
		want = min(blockBytes, total-len(object))
	}
	return nil, fmt.Errorf("%w: %d reads of one file", apdu.ErrEndless, maxBlocks)
}

// readDirectory reads the objects of a directory file, and of the 00 or FF
// bytes that pad it no more than the block in which they begin. Deleted
// objects inside a block are skipped likewise. What it gives ends with the
// last object.
func (c *Card) readDirectory(ctx context.Context, p Path) ([]byte, error) {
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
// padding follows it.
func objectsEnd(file []byte) (end int, whole bool, err error) {
	rest := tlv.SkipPadding(file)
	for len(rest) > 0 {
		n, err := tlv.Size(rest)
		switch {
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
