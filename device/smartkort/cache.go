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
	"sync"
)

// Bounds of a Cache: some 4 KB a card.
const (
	maxEntries = 512
	maxKinds   = 32
	maxEntry   = 64 * 1024 // bytes of one card's entry
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
// that comes again is asked only who it is. A card is known by the whole of
// its TokenInfo, serial number and lastUpdate above all: one that was changed
// since is a new one.
//
// Certificates carry names. An entry therefore is sealed (AES-256-GCM) under a
// key derived from the Cache's own secret and the card's TokenInfo, and named
// by a hash that takes both: whoever has entries and secret can open an entry
// only with the card at hand, and whoever has the entries alone, not at all;
// nor do they say which cards were here.
//
// A remembered certificate is proven anew at each visit: the card must sign
// with the key that the certificate has. When it does not, the entry is
// dropped.
type Cache struct {
	secret []byte
	keep   Keep // nil for none

	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List                   // of entry, the one used last in front
	kinds   map[[sha256.Size]byte]*kind // by the hash of the ATR
}

type entry struct {
	id     string
	sealed []byte
}

// NewCache makes a cache of what keep has, nil for one that ends with the
// program. secret is 32 random bytes that last as long as keep, and do not lie
// in it.
func NewCache(secret []byte, keep Keep) (*Cache, error) {
	c := &Cache{secret: secret, keep: keep, entries: map[string]*list.Element{}, kinds: map[[sha256.Size]byte]*kind{}}
	if keep == nil {
		return c, nil
	}
	surplus := map[string][]byte{}
	err := keep.Each(func(id string, sealed []byte) error {
		if len(c.entries) == maxEntries || len(sealed) > maxEntry {
			surplus[id] = nil
			return nil
		}
		c.entries[id] = c.order.PushFront(entry{id, bytes.Clone(sealed)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot load card cache: %w", err)
	}
	if len(surplus) > 0 {
		keep.Put(surplus)
	}
	return c, nil
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
	plain, err := c.aead(tokenInfo).Open(nil, nil, sealed, []byte(id))
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
	sealed := c.aead(tokenInfo).Seal(nil, nil, plain, []byte(id))
	changes := map[string][]byte{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[id]; !known && len(c.entries) >= maxEntries {
		c.remove(c.order.Back().Value.(entry).id, changes)
	}
	c.remove(id, changes)
	c.entries[id] = c.order.PushFront(entry{id, sealed})
	changes[id] = sealed
	if c.keep != nil {
		c.keep.Put(changes)
	}
}

func (c *Cache) drop(tokenInfo []byte) {
	if c == nil || len(tokenInfo) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := map[string][]byte{}
	c.remove(c.name(tokenInfo), changes)
	if c.keep != nil && len(changes) > 0 {
		c.keep.Put(changes)
	}
}

// remove takes an entry out, and says so in changes.
func (c *Cache) remove(id string, changes map[string][]byte) {
	if e, ok := c.entries[id]; ok {
		c.order.Remove(e)
		delete(c.entries, id)
		changes[id] = nil
	}
}

// kind gives what is known of the cards with an answer to reset.
func (c *Cache) kind(atr []byte) (*kind, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kinds[sha256.Sum256(atr)]
	return k, ok
}

func (c *Cache) learn(atr []byte, k *kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kinds) >= maxKinds {
		clear(c.kinds)
	}
	c.kinds[sha256.Sum256(atr)] = k
}
