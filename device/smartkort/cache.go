package smartkort

import (
	"bytes"
	"container/list"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// Bounds of a Cache: some 4 KB a card, 1 KB a kind.
const (
	maxEntries = 512
	maxKinds   = 32
	maxEntry   = 64 * 1024 // bytes of one entry
)

// Keep is where a Cache's entries lie while the program does not run.
type Keep interface {
	// Each calls f with every entry.
	Each(f func(id string, entry []byte) error) error
	// Put changes entries, a nil one being deleted. It must not make a visit
	// wait; what it loses is read from the card again.
	Put(entries map[string][]byte)
}

// Cache remembers the directories and certificates of cards, so that a card
// that comes again is asked only who it is; and what cards of one kind have in
// common, so that one which is new is asked for its certificate and little
// more.
//
// A card is known by the whole of its TokenInfo, serial number and lastUpdate
// above all: one that was changed since is a new one. A card with no
// lastUpdate, as ISO 7816-15 allows, shows by its directory of PINs and the
// beginning of its certificate, which are read again, that it was not changed.
//
// Certificates carry names. A card's entry therefore is sealed (AES-256-GCM)
// under a key derived from the Cache's own secret and the card's TokenInfo,
// and named by a hash that takes both: whoever has entries and secret can open
// an entry only with the card at hand, and whoever has the entries alone, not
// at all; nor do they say which cards were here. An entry of a kind, which has
// nothing of any holder, is sealed under the secret alone.
//
// A remembered certificate is proven anew at each visit, which says more than a
// hash of it would: the card must sign with the key that the certificate has.
// When it does not, the entry is dropped.
type Cache struct {
	secret []byte
	keep   Keep // nil for none

	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List         // of entry, the one used last in front
	kinds   map[string][]byte // opened, by the entry's name
}

type entry struct {
	id     string
	sealed []byte
}

// NewCache makes a cache of what keep has, nil for one that ends with the
// program. secret is 32 random bytes that last as long as keep, and do not lie
// in it.
func NewCache(secret []byte, keep Keep) (*Cache, error) {
	c := &Cache{secret: secret, keep: keep, entries: map[string]*list.Element{}, kinds: map[string][]byte{}}
	if keep == nil {
		return c, nil
	}
	surplus := map[string][]byte{}
	err := keep.Each(func(id string, sealed []byte) error {
		kind := strings.HasPrefix(id, kindPrefix)
		full := !kind && len(c.entries) == maxEntries || kind && len(c.kinds) == maxKinds
		plain, err := []byte(nil), error(nil)
		if kind {
			plain, err = c.unseal(id, kindKey, sealed)
		}
		switch {
		case full || len(sealed) > maxEntry || err != nil:
			surplus[id] = nil
		case kind:
			c.kinds[id] = plain
		default:
			c.entries[id] = c.order.PushFront(entry{id, bytes.Clone(sealed)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot load card cache: %w", err)
	}
	c.tell(surplus)
	return c, nil
}

// tell has what changed be kept.
func (c *Cache) tell(changes map[string][]byte) {
	if c.keep != nil && len(changes) > 0 {
		c.keep.Put(changes)
	}
}

// What is sealed as a kind's: the context of its key, in the place of a card's
// TokenInfo, and how its name begins.
var kindKey = []byte("kind")

const kindPrefix = "kind-"

func (c *Cache) kindName(atr []byte) string {
	id := c.derive("kind", atr)
	return kindPrefix + hex.EncodeToString(id[:])
}

// derive gives 32 bytes for one purpose and one card.
func (c *Cache) derive(purpose string, tokenInfo []byte) (key [32]byte) {
	m := hmac.New(sha256.New, c.secret)
	fmt.Fprintf(m, "smartkiosk card cache, %s\x00", purpose)
	m.Write(tokenInfo)
	m.Sum(key[:0])
	return key
}

func (c *Cache) aead(tokenInfo []byte) cipher.AEAD {
	key := c.derive("seal", tokenInfo)
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var a cipher.AEAD
		if a, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return a
		}
	}
	panic(err) // a key of 32 bytes is never refused
}

func (c *Cache) seal(id string, tokenInfo, plain []byte) []byte {
	return c.aead(tokenInfo).Seal(nil, nil, plain, []byte(id))
}

func (c *Cache) unseal(id string, tokenInfo, sealed []byte) ([]byte, error) {
	return c.aead(tokenInfo).Open(nil, nil, sealed, []byte(id))
}

// name gives the name of a card's entry.
func (c *Cache) name(tokenInfo []byte) string {
	id := c.derive("name", tokenInfo)
	return hex.EncodeToString(id[:])
}

// get opens the entry of the card with this TokenInfo; nil for none.
func (c *Cache) get(tokenInfo []byte) (files map[string][]byte) {
	if c == nil || len(tokenInfo) == 0 {
		return nil
	}
	id := c.name(tokenInfo)
	sealed := c.sealed(id)
	if sealed == nil {
		return nil
	}
	plain, err := c.unseal(id, tokenInfo, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &files)
	}
	if err != nil { // damaged
		c.drop(tokenInfo)
		return nil
	}
	return files
}

func (c *Cache) sealed(id string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[id]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(entry).sealed
}

// put seals the files of the card with this TokenInfo. The entry used longest
// ago makes room for it.
func (c *Cache) put(tokenInfo []byte, files map[string][]byte) {
	plain, err := json.Marshal(files)
	if err != nil || len(plain) > maxEntry/2 {
		return
	}
	id := c.name(tokenInfo)
	sealed := c.seal(id, tokenInfo, plain)
	changes := map[string][]byte{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[id]; !known && len(c.entries) >= maxEntries {
		c.remove(c.order.Back().Value.(entry).id, changes)
	}
	c.remove(id, changes)
	c.entries[id] = c.order.PushFront(entry{id, sealed})
	changes[id] = sealed
	c.tell(changes)
}

func (c *Cache) drop(tokenInfo []byte) {
	if c == nil || len(tokenInfo) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := map[string][]byte{}
	c.remove(c.name(tokenInfo), changes)
	c.tell(changes)
}

// remove takes an entry out, and says so in changes.
func (c *Cache) remove(id string, changes map[string][]byte) {
	if e, ok := c.entries[id]; ok {
		c.order.Remove(e)
		delete(c.entries, id)
		changes[id] = nil
	}
}
