package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// Instructions of ISO 7816-4 §11 and 7816-8 §11.
const (
	insVerify       = 0x20
	insMSE          = 0x22
	insChange       = 0x24
	insPSO          = 0x2A
	insResetCounter = 0x2C
	insInternalAuth = 0x88
	insSelect       = 0xA4
	insGetResponse  = 0xC0
	insReadBinary   = 0xB0
	insReadRecord   = 0xB2
	insGeneralAuth  = 0x87
	insGetData      = 0xCB
)

// P1 of SELECT (ISO 7816-4 §11.2.2).
const (
	byFileID   = 0x00
	underDF    = 0x02 // an EF under the current DF
	byAID      = 0x04
	fromMF     = 0x08 // a path without the MF's own identifier
	fromHere   = 0x09 // a path that starts under the current DF
	blockBytes = apdu.MaxShortLe
)

var masterFile = []byte{0x3F, 0x00}

// place is the DF that is selected on the card: the bytes of its path, or one
// of these constants.
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
	Object []byte // tag of a data object of the application, instead of a file
}

// key is the map key of p in Card.files and Card.memory.
func (p Path) key() string {
	if len(p.Object) > 0 {
		return fmt.Sprintf("object %X", p.Object)
	}
	return fmt.Sprintf("%X+%d+%d", p.File, p.Offset, p.Length)
}

// selectModes are the values of P2 of SELECT in the order in which they are
// tried. "No response data" (0C) costs the fewest bytes, but some cards refuse
// it (ISO 7816-4 §11.2.2). The first value that a card accepts is kept.
var selectModes = []byte{0x0C, 0x00, 0x04}

// selectBy sends one SELECT. It returns the size of the selected file, or -1
// when the card does not state it. If the card refuses, the error is an
// apdu.Status.
func (c *Card) selectBy(ctx context.Context, p1 byte, data []byte) (size int, err error) {
	for mode := c.mode; ; mode++ {
		cmd := apdu.Command{INS: insSelect, P1: p1, P2: selectModes[mode], Data: data}
		if cmd.P2 != 0x0C {
			cmd.Le = apdu.MaxShortLe
		}
		r, err := c.command(ctx, cmd)
		if err != nil {
			return 0, err
		}
		// The card may mean P1 or P2. If it refuses every P2, it means P1.
		refused := r.SW == apdu.WrongP1P2 || r.SW == apdu.WrongLength || r.SW == apdu.WrongOffset ||
			r.SW == apdu.FunctionUnsupported && !c.modeWorks
		if refused && mode+1 < len(selectModes) {
			continue
		}
		if !refused {
			c.mode = mode
			c.modeWorks = c.modeWorks || r.SW == apdu.OK || r.SW == apdu.FileNotFound
		}
		if r.SW == apdu.OK || r.SW == apdu.Deactivated {
			return fileSize(r.Data), nil
		}
		return 0, r.SW
	}
}

// fileSize returns the file size that file control information states: tag
// 80, the bytes of a file's body, or 81, body and structure (ISO 7816-4
// §7.4.3). It returns -1 when both are missing.
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

// selectFile selects p's file.
func (c *Card) selectFile(ctx context.Context, p Path) (size int, err error) {
	file := p.File
	if len(file) == 0 || len(file)%2 != 0 || len(file) > 16 {
		return 0, fmt.Errorf("%w: path %X", ErrMalformed, file)
	}
	// Within the application a file identifier is enough. It takes fewer
	// bytes, and the application stays selected, so that VERIFY needs no
	// further SELECT.
	if under, ok := bytes.CutPrefix(file, c.app.Path); ok && len(c.app.Path) > 0 && len(under) == 2 {
		size, err = c.selectWithin(ctx, under)
		if err == nil || !isStatus(err) || c.app.AID == nil {
			return size, err
		}
		c.app.Path = nil // the AID leads to another DF
	}
	if bytes.HasPrefix(file, masterFile) {
		c.at = elsewhere
		return c.selectPath(ctx, fromMF, file[2:], masterFile)
	}
	if len(file) == 2 {
		return c.selectWithin(ctx, file)
	}
	if err := c.enter(ctx); err != nil {
		return 0, err
	}
	c.at = elsewhere
	return c.selectPath(ctx, fromHere, file, nil)
}

// selectWithin selects a file of the application.
func (c *Card) selectWithin(ctx context.Context, id []byte) (size int, err error) {
	if err := c.enter(ctx); err != nil {
		return 0, err
	}
	if c.efOnly {
		return c.selectBy(ctx, underDF, id)
	}
	size, err = c.selectBy(ctx, byFileID, id)
	if errors.Is(err, apdu.WrongP1P2) { // some cards select an EF only as one
		var again error
		if size, again = c.selectBy(ctx, underDF, id); again == nil {
			c.efOnly = true
			return size, nil
		}
	}
	return size, err
}

// selectPath selects a whole path at once. On a card that cannot do that, it
// selects file by file from start.
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
