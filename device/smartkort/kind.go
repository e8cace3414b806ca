package smartkort

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
)

// kind is what cards with one answer to reset had in common so far: where
// their application is and how they are asked. There is nothing of any holder
// in it. It is tried first and left at the first sign that a card is another.
//
// The directories of keys, certificates and PINs are never taken from here:
// what they hold differs from card to card.
type kind struct {
	app       application
	mode      int
	stepwise  bool
	byName    bool   // the application's path is known, but cannot be selected
	class     []byte // of VERIFY
	tokenSize int
	looks     [sha256.Size]byte // hash of TokenInfo.looks
	odf       []byte            // of cards that look so
}

// tryKind goes the way that other cards of the kind went.
func (c *Card) tryKind(ctx context.Context, k *kind) (found bool, err error) {
	c.app, c.at, c.mode, c.stepwise, c.class = k.app, elsewhere, k.mode, k.stepwise, k.class
	if err = c.enterKind(ctx, k); err == nil {
		if err = c.readCurrentTokenInfo(ctx, Path{File: fileToken, Length: k.tokenSize}); err == nil {
			err = c.look(ctx, k)
		}
	}
	switch {
	case err == nil:
		return true, nil
	case isStatus(err) || errors.Is(err, ErrMalformed):
		c.mode, c.stepwise, c.class, c.files = 0, false, nil, map[string][]byte{}
		return false, nil
	}
	return false, err
}

// enterKind selects EF.TokenInfo, after the applet if there is one. Where the
// application's path is known, that is one SELECT for application and file.
func (c *Card) enterKind(ctx context.Context, k *kind) error {
	if c.app.applet != nil {
		if _, err := c.selectBy(ctx, byAID, c.app.applet); err != nil {
			return err
		}
	}
	if c.app.path != nil && !k.byName && !k.stepwise {
		_, err := c.selectBy(ctx, fromMF, append(bytes.Clone(c.app.path[2:]), fileToken...))
		if err == nil {
			c.at = inApplication
		}
		if !isStatus(err) || c.app.aid == nil {
			return err
		}
		c.byName = true
	}
	_, err := c.selectWithin(ctx, fileToken)
	return err
}

// remember keeps what was learned of the card and its kind, for the next
// visit.
func (c *Card) remember() {
	if c.cache == nil || len(c.tokenRaw) == 0 {
		return
	}
	c.cache.learn(c.line.ATR(), &kind{
		app: c.app, mode: c.mode, stepwise: c.stepwise, byName: c.byName, class: c.class,
		tokenSize: len(c.tokenRaw), looks: sha256.Sum256(c.token.looks), odf: bytes.Clone(c.files[odfPath.key()]),
	})
	// Without a serial number a card is not told from others, and without a
	// date not from itself before it was changed.
	if c.news && len(c.token.Serial) > 0 && c.token.LastUpdate != "" {
		c.cache.put(c.tokenRaw, c.files)
	}
}

// recall takes what is remembered of the card that has this TokenInfo.
func (c *Card) recall() {
	if files := c.cache.get(c.tokenRaw); files != nil {
		c.files, c.news = files, false
	}
}

// forget drops what is remembered of the card: it turned out to be wrong.
func (c *Card) forget() { c.cache.drop(c.tokenRaw) }
