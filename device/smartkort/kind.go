package smartkort

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// kind is what the cards with one answer to reset have had in common so far:
// where their application is and which commands they accept. It contains
// nothing about any holder. The driver tries it first, and drops it at the
// first sign that a card is different.
type kind struct {
	App       application
	Mode      int
	Stepwise  bool
	ByName    bool   // the application's path is known but cannot be selected
	Class     []byte // class byte of VERIFY
	TokenSize int
	Layouts   []layout          // the newest last
	Recipes   map[string]recipe // by the name of a scheme: the signing recipe to begin with
}

// maxLayouts is the maximum number of layouts that are remembered for one
// answer to reset.
const maxLayouts = 4

// layout returns the layout of cards with this fingerprint, or nil.
func (k *kind) layout(fingerprint []byte) *layout {
	if fingerprint == nil {
		return nil
	}
	for i := range k.Layouts {
		if bytes.Equal(k.Layouts[i].Fingerprint, digest(fingerprint)) {
			return &k.Layouts[i]
		}
	}
	return nil
}

// without returns all layouts except the one with this fingerprint.
func (k *kind) without(fingerprint []byte) []layout {
	return slices.DeleteFunc(slices.Clone(k.Layouts), func(l layout) bool { return bytes.Equal(l.Fingerprint, digest(fingerprint)) })
}

// tryKind looks for the application where other cards of the kind have it.
func (c *Card) tryKind(ctx context.Context, k *kind) (found bool, err error) {
	c.app, c.at, c.mode, c.stepwise, c.class = k.App, elsewhere, k.Mode, k.Stepwise, k.Class
	if err = c.enterKind(ctx, k); err == nil {
		if err = c.readCurrentTokenInfo(ctx, Path{File: fileToken, Length: k.TokenSize}, -1); err == nil {
			err = c.loadApplication(ctx, k)
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

// enterKind selects the applet, if there is one, and then EF.TokenInfo. If the
// application's path is known, one SELECT does both application and file.
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

// rememberKind stores what the card has in common with others of its kind.
func (c *Card) rememberKind() {
	k := kind{App: c.app, Mode: c.mode, Stepwise: c.stepwise, ByName: c.byName, Class: c.class, TokenSize: len(c.tokenRaw)}
	if before := c.cache.kind(c.channel.ATR()); before != nil {
		k.Layouts, k.Recipes = before.Layouts, before.Recipes
	}
	k.addRecipes(c.remembered)
	if c.layout == nil && c.token.fingerprint != nil {
		own := c.ownLayout()
		if before := k.layout(c.token.fingerprint); before != nil {
			own.mergeMakes(*before)
		}
		k.Layouts = append(k.without(c.token.fingerprint), own)
		k.Layouts = k.Layouts[max(0, len(k.Layouts)-maxLayouts):]
	}
	c.cache.putKind(c.channel.ATR(), k)
}

// setRecipe sets the recipe with which this kind of card begins.
func (c *Card) setRecipe(s scheme, r recipe) { c.remembered[s.name] = r }

// rememberRecipes stores the recipes to begin with, although no key of the card
// has made a valid signature.
func (c *Card) rememberRecipes() {
	if c.cache == nil {
		return
	}
	k := c.cache.kind(c.channel.ATR())
	if k == nil {
		k = &kind{App: c.app, Mode: c.mode, Stepwise: c.stepwise, ByName: c.byName, Class: c.class, TokenSize: len(c.tokenRaw)}
	}
	k.addRecipes(c.remembered)
	c.cache.putKind(c.channel.ATR(), *k)
}

func (k *kind) addRecipes(recipes map[string]recipe) {
	k.Recipes = maps.Clone(k.Recipes)
	for name, r := range recipes {
		if k.Recipes == nil {
			k.Recipes = map[string]recipe{}
		}
		k.Recipes[name] = r
	}
}

// forgetLayout removes the layout that this card seemed to have but has not.
func (c *Card) forgetLayout() {
	if k := c.cache.kind(c.channel.ATR()); k != nil {
		k.Layouts = k.without(c.token.fingerprint)
		c.cache.putKind(c.channel.ATR(), *k)
	}
}

// kind returns what is remembered of cards with this answer to reset, or nil.
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

// putKind stores what is known of cards with this answer to reset. When the
// cache is full, it replaces an arbitrary kind.
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
	c.persist(changes)
}
