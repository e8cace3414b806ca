package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
)

// content gives what is known of what is at a path, nil for nothing.
func (c *Card) content(p Path) []byte {
	if b, ok := c.files[p.key()]; ok {
		return b
	}
	return c.memory[p.key()]
}

// known tells whether what is at all of the paths is known.
func (c *Card) known(paths []Path) bool {
	for _, p := range paths {
		if c.content(p) == nil {
			return false
		}
	}
	return true
}

// recognise has a card without a date show that it is still what it is
// remembered as: by its directory of PINs, which is read again. A certificate
// is recognised when it is used (readObject).
func (c *Card) recognise(ctx context.Context) error {
	if c.dated() {
		return nil
	}
	for _, p := range c.odf.authObjects {
		remembered, ok := c.memory[p.key()]
		if !ok {
			continue
		}
		delete(c.memory, p.key())
		own, err := c.readDirectory(ctx, p)
		if misled(err) || err == nil && !bytes.Equal(own, remembered) {
			return c.readAnew(ctx)
		}
		if err != nil {
			return fmt.Errorf("cannot read PIN directory: %w", err)
		}
	}
	return nil
}

// dated tells whether the card says when it was changed last.
func (c *Card) dated() bool { return c.token.LastUpdate != "" }

// beginning is how much of a certificate shows that it is the one remembered:
// its serial number is in it.
const beginning = 64

// errChanged says that a card is not what it is remembered as.
var errChanged = errors.New("card was changed")

// beginsAs compares what is at a path with what is remembered.
func (c *Card) beginsAs(ctx context.Context, p Path, remembered []byte) error {
	if _, err := c.selectFile(ctx, p); err != nil {
		return err
	}
	n := min(beginning, len(remembered))
	block, err := c.readBlock(ctx, p.Offset, n)
	if err == nil && !bytes.Equal(block, remembered[:n]) {
		err = errChanged
	}
	return err
}

// misled tells whether an error may come of a wrong memory.
func misled(err error) bool {
	return isStatus(err) || errors.Is(err, ErrMalformed) || errors.Is(err, errChanged)
}

// readAnew drops what was not read in this visit, and reads what is where from
// the card itself.
func (c *Card) readAnew(ctx context.Context) error {
	c.forgetMemory()
	return c.readODF(ctx)
}

// forgetMemory drops what was not read in this visit.
func (c *Card) forgetMemory() {
	c.memory, c.layout = nil, nil
	c.keysRead, c.pinsRead, c.certsRead = false, false, false
}

// forgetRead drops all content.
func (c *Card) forgetRead() {
	c.forgetMemory()
	c.files = map[string][]byte{}
}

// remember keeps what was learned of the card and its kind, for the next
// visit. Without a serial number a card is not told from others.
func (c *Card) remember() {
	if c.cache == nil || len(c.tokenRaw) == 0 {
		return
	}
	c.learn()
	if len(c.token.Serial) == 0 {
		return
	}
	all := maps.Clone(c.files)
	for key, b := range c.memory {
		if _, ok := all[key]; !ok {
			all[key] = b
		}
	}
	if !maps.EqualFunc(all, c.cache.get(c.tokenRaw), bytes.Equal) {
		c.cache.put(c.tokenRaw, all)
	}
}

// distrust drops what is remembered of the card and its kind: something in it
// turned out to be wrong.
func (c *Card) distrust() {
	c.cache.drop(c.tokenRaw)
	if c.layout != nil {
		c.unlearn()
	}
	c.proven = false
}
