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

// Bounds of a Cache. A card takes about 4 KB, a kind 1 KB.
const (
	maxEntries = 512
	maxKinds   = 32
	maxEntry   = 64 * 1024 // bytes of one entry
)

// Keep stores a Cache's entries permanently.
type Keep interface {
	// Each calls f with every entry.
	Each(f func(id string, entry []byte) error) error
	// Put stores entries, and deletes those that are nil. It must not delay a
	// visit. If an entry is lost, the driver reads the card again.
	Put(entries map[string][]byte)
}

// Cache remembers the directories and certificates of cards, so that a
// returning card only has to be identified. It also remembers what the cards of
// one kind have in common, so that a new card of that kind needs little more
// than its certificate to be read.
//
// A card is identified by its whole TokenInfo, above all serial number and
// lastUpdate: a card that was changed is a new card. ISO 7816-15 allows cards
// without lastUpdate. For those the driver reads the directory of PINs and the
// beginning of the certificate again and compares them.
//
// Certificates contain names. A card's entry is therefore encrypted
// (AES-256-GCM) under a key derived from the Cache's secret and the card's
// TokenInfo, and its name is a keyed hash of the TokenInfo. With entries and
// secret an entry can be decrypted only with the card at hand. The entries
// alone reveal neither their content nor which cards were here. An entry of a
// kind contains nothing about any holder and is encrypted under the secret
// alone.
//
// Each visit proves a remembered certificate: the card must sign with the
// certificate's key. If the signature is wrong, the entry is dropped.
type Cache struct {
	secret []byte
	keep   Keep // may be nil

	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List         // of entry, the most recently used first
	kinds   map[string][]byte // decrypted, by the entry's name
}

type entry struct {
	id     string
	sealed []byte
}

// NewCache makes a cache and loads the entries of keep. With a nil keep the
// cache exists only in memory. secret is 32 random bytes; they must last as
// long as keep and must be stored elsewhere.
func NewCache(secret []byte, keep Keep) (*Cache, error) {
	c := &Cache{secret: secret, keep: keep, entries: map[string]*list.Element{}, kinds: map[string][]byte{}}
	if keep == nil {
		return c, nil
	}
	surplus := map[string][]byte{}
	err := keep.Each(func(id string, sealed []byte) error {
		kind := IsKind(id)
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
	c.persist(surplus)
	return c, nil
}

// persist passes changed entries to keep.
func (c *Cache) persist(changes map[string][]byte) {
	if c.keep != nil && len(changes) > 0 {
		c.keep.Put(changes)
	}
}

// For an entry of a kind, kindKey takes the place of the card's TokenInfo in
// the derivation of the key, and the entry's name starts with kindPrefix.
var kindKey = []byte("kind")

const kindPrefix = "kind-"

// IsKind reports whether an entry with this name is about a kind of card, and contains
// nothing about any holder.
func IsKind(id string) bool { return strings.HasPrefix(id, kindPrefix) }

func (c *Cache) kindName(atr []byte) string {
	id := c.derive("kind", atr)
	return kindPrefix + hex.EncodeToString(id[:])
}

// derive returns 32 bytes for one purpose and one card.
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
	panic(err) // cannot happen: the key has 32 bytes
}

func (c *Cache) seal(id string, tokenInfo, plain []byte) []byte {
	return c.aead(tokenInfo).Seal(nil, nil, plain, []byte(id))
}

func (c *Cache) unseal(id string, tokenInfo, sealed []byte) ([]byte, error) {
	return c.aead(tokenInfo).Open(nil, nil, sealed, []byte(id))
}

// name returns the name of a card's entry.
func (c *Cache) name(tokenInfo []byte) string {
	id := c.derive("name", tokenInfo)
	return hex.EncodeToString(id[:])
}

// get decrypts the entry of the card with this TokenInfo. It returns nil when
// there is no entry.
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

// put encrypts and stores the files of the card with this TokenInfo. When the
// cache is full, it removes the least recently used entry.
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
	c.persist(changes)
}

func (c *Cache) drop(tokenInfo []byte) {
	if c == nil || len(tokenInfo) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := map[string][]byte{}
	c.remove(c.name(tokenInfo), changes)
	c.persist(changes)
}

// remove deletes an entry and adds the deletion to changes.
func (c *Cache) remove(id string, changes map[string][]byte) {
	if e, ok := c.entries[id]; ok {
		c.order.Remove(e)
		delete(c.entries, id)
		changes[id] = nil
	}
}
