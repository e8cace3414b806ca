package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"smartkiosk/device/apdu"
)

// content returns the known content at a path, or nil.
func (c *Card) content(p Path) []byte {
	if b, ok := c.files[p.key()]; ok {
		return b
	}
	return c.memory[p.key()]
}

// known reports whether the content at all of the paths is known.
func (c *Card) known(paths []Path) bool {
	for _, p := range paths {
		if c.content(p) == nil {
			return false
		}
	}
	return true
}

// checkUnchanged checks that a card without lastUpdate is still the same as in
// the cache. It reads the directory of PINs again and compares it. readObject
// checks a certificate when it is used.
func (c *Card) checkUnchanged(ctx context.Context) error {
	if c.hasLastUpdate() {
		return nil
	}
	for _, p := range c.odf.authObjects {
		remembered, ok := c.memory[p.key()]
		if !ok {
			continue
		}
		delete(c.memory, p.key())
		own, err := c.readDirectory(ctx, p)
		if maybeStale(err) || err == nil && !bytes.Equal(own, remembered) {
			return c.rereadCard(ctx)
		}
		if err != nil {
			return fmt.Errorf("cannot read PIN directory: %w", err)
		}
	}
	return nil
}

// hasLastUpdate reports whether the card states when it was last changed.
func (c *Card) hasLastUpdate() bool { return c.token.LastUpdate != "" }

// beginning is how many bytes of a certificate are compared with the cache.
// They contain its serial number.
const beginning = 64

// errChanged means that the card differs from what is in the cache.
var errChanged = errors.New("card was changed")

// checkPrefix compares the first bytes at a path with those in the cache.
func (c *Card) checkPrefix(ctx context.Context, p Path, remembered []byte) error {
	if _, err := c.selectFile(ctx, p); err != nil {
		return err
	}
	n := min(beginning, len(remembered))
	block, sw, err := c.readBlock(ctx, p.Offset, n)
	switch {
	case err != nil:
		return err
	case len(block) == 0 && sw != apdu.OK:
		return sw
	case !bytes.Equal(block[:min(len(block), n)], remembered[:n]):
		return errChanged
	}
	return nil
}

// maybeStale reports whether an outdated cache can be the cause of an error.
func maybeStale(err error) bool {
	return isStatus(err) || errors.Is(err, ErrMalformed) || errors.Is(err, errChanged)
}

// rereadCard drops everything that was not read in this visit and reads the
// object directory from the card.
func (c *Card) rereadCard(ctx context.Context) error {
	c.forgetMemory()
	return c.readODF(ctx)
}

// forgetMemory drops everything that was not read in this visit.
func (c *Card) forgetMemory() {
	c.memory, c.layout = nil, nil
	c.keysRead, c.pinsRead, c.certsRead, c.headRead = false, false, false, false
}

// forgetRead drops all content.
func (c *Card) forgetRead() {
	c.forgetMemory()
	c.files = map[string][]byte{}
}

// remember stores what was learned about the card and its kind for the next
// visit. A card without a serial number cannot be told from others, so only
// its kind is stored.
func (c *Card) remember() {
	if c.cache == nil || len(c.tokenRaw) == 0 {
		return
	}
	c.rememberKind()
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

// forgetCard drops what is remembered of the card and its kind, because
// something in it turned out to be wrong.
func (c *Card) forgetCard() {
	c.cache.drop(c.tokenRaw)
	if c.layout != nil {
		c.forgetLayout()
	}
	c.proven = false
}
