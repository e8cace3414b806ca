package smartkort

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// kind is what cards with one answer to reset had in common so far: where
// their application is and how they are asked. There is nothing of any holder
// in it. It is tried first and left at the first sign that a card is another.
type kind struct {
	App       application
	Mode      int
	Stepwise  bool
	ByName    bool   // the application's path is known, but cannot be selected
	Class     []byte // of VERIFY
	TokenSize int
	Layouts   []layout // that learned last at the end
}

// maxLayouts is how many makes of card may share an answer to reset.
const maxLayouts = 4

// layout gives that of cards which look like this, nil for none.
func (k *kind) layout(looks []byte) *layout {
	for i := range k.Layouts {
		if bytes.Equal(k.Layouts[i].Looks, digest(looks)) {
			return &k.Layouts[i]
		}
	}
	return nil
}

// without gives the layouts but for that of cards which look like this.
func (k *kind) without(looks []byte) []layout {
	return slices.DeleteFunc(slices.Clone(k.Layouts), func(l layout) bool { return bytes.Equal(l.Looks, digest(looks)) })
}

// tryKind goes the way that other cards of the kind went.
func (c *Card) tryKind(ctx context.Context, k *kind) (found bool, err error) {
	c.app, c.at, c.mode, c.stepwise, c.class = k.App, elsewhere, k.Mode, k.Stepwise, k.Class
	if err = c.enterKind(ctx, k); err == nil {
		if err = c.readCurrentTokenInfo(ctx, Path{File: fileToken, Length: k.TokenSize}); err == nil {
			err = c.look(ctx, k)
		}
	}
	switch {
	case err == nil:
		return true, nil
	case isStatus(err) || errors.Is(err, ErrMalformed):
		c.mode, c.stepwise, c.class = 0, false, nil
		c.forgetRead()
		return false, nil
	}
	return false, err
}

// enterKind selects EF.TokenInfo, after the applet if there is one. Where the
// application's path is known, that is one SELECT for application and file.
func (c *Card) enterKind(ctx context.Context, k *kind) error {
	if c.app.Applet != nil {
		if _, err := c.selectBy(ctx, byAID, c.app.Applet); err != nil {
			return err
		}
	}
	if c.app.Path != nil && !k.ByName && !k.Stepwise {
		_, err := c.selectBy(ctx, fromMF, append(bytes.Clone(c.app.Path[2:]), fileToken...))
		if err == nil {
			c.at = inApplication
		}
		if !isStatus(err) || c.app.AID == nil {
			return err
		}
		c.byName = true
	}
	_, err := c.selectWithin(ctx, fileToken)
	return err
}

// learn keeps what the card has in common with others of its kind.
func (c *Card) learn() {
	k := kind{App: c.app, Mode: c.mode, Stepwise: c.stepwise, ByName: c.byName, Class: c.class, TokenSize: len(c.tokenRaw)}
	if before := c.cache.kind(c.line.ATR()); before != nil {
		k.Layouts = before.Layouts
	}
	if c.layout == nil {
		own := c.ownLayout()
		if before := k.layout(c.token.looks); before != nil {
			own.adopt(*before)
		}
		k.Layouts = append(k.without(c.token.looks), own)
		k.Layouts = k.Layouts[max(0, len(k.Layouts)-maxLayouts):]
	}
	c.cache.putKind(c.line.ATR(), k)
}

// unlearn drops the layout of the card's kind: a card that seemed to have it
// has not.
func (c *Card) unlearn() {
	if k := c.cache.kind(c.line.ATR()); k != nil {
		k.Layouts = k.without(c.token.looks)
		c.cache.putKind(c.line.ATR(), *k)
	}
}

// kind gives what is known of the cards with an answer to reset, nil for
// nothing.
func (c *Cache) kind(atr []byte) *kind {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	plain := c.kinds[c.kindName(atr)]
	c.mu.Unlock()
	k := &kind{}
	if plain == nil || json.Unmarshal(plain, k) != nil {
		return nil
	}
	return k
}

// putKind keeps what is known of the cards with an answer to reset. When there
// are too many kinds, it takes the place of any.
func (c *Cache) putKind(atr []byte, k kind) {
	plain, err := json.Marshal(k)
	if err != nil || len(plain) > maxEntry/2 {
		return
	}
	id := c.kindName(atr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Equal(c.kinds[id], plain) {
		return
	}
	changes := map[string][]byte{id: c.seal(id, kindKey, plain)}
	for other := range c.kinds {
		if c.kinds[id] == nil && len(c.kinds) >= maxKinds {
			delete(c.kinds, other)
			changes[other] = nil
		}
	}
	c.kinds[id] = plain
	c.tell(changes)
}
