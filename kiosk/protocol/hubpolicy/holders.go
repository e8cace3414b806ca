package hubpolicy

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"

	"golang.org/x/crypto/argon2"
)

// HolderKeys are what a kiosk needs to compute the pseudonyms by which its hub refers to
// holders. See "Names of holders" in the package documentation.
type HolderKeys struct {
	Salt []byte `json:"salt"` // of HashHolder; all kiosks of a hub have the same
	Key  []byte `json:"key"`  // of the pseudonyms; each kiosk has its own
}

// minHolderKey is the minimum length of a salt and of a key, in bytes (RFC 9106 §3.1).
const minHolderKey = 16

func (k HolderKeys) check() error {
	if len(k.Salt) < minHolderKey || len(k.Key) < minHolderKey {
		return errors.New("holders: salt or key is missing or shorter than 16 bytes")
	}
	return nil
}

// HolderHash is the memory-hard hash of a holder's identifier.
type HolderHash [sha256.Size]byte

// The cost of a HolderHash (Argon2id, RFC 9106). It was measured on one core of an AMD
// EPYC: 80 ms of processor time, with this library and with the reference program in C.
// Trying all 10⁹ Buypass numbers takes two and a half years at that rate. A Raspberry Pi 4
// needs about 0.4 s (an estimate), while the card signs, for each person and day.
const (
	hashMemory = 64 << 10 // KiB
	hashPasses = 2
)

// hashing limits the memory that hashes need to that of one.
var hashing sync.Mutex

// HashHolder computes the hash of a holder's identifier. It takes tens of milliseconds and
// 64 MiB of memory, so callers store the result.
func HashHolder(salt []byte, id string) HolderHash {
	hashing.Lock()
	defer hashing.Unlock()
	name := []byte(id)
	defer clear(name)
	return HolderHash(argon2.IDKey(name, salt, hashPasses, hashMemory, 1, sha256.Size))
}

// In returns the hash of the holder with this identifier in one trust domain.
func (h HolderHash) In(domain string) HolderHash {
	return sha256.Sum256(append([]byte(domain+"\x00"), h[:]...))
}

// Pseudonym returns the pseudonym of a holder at one kiosk.
func (k HolderKeys) Pseudonym(h HolderHash) []byte {
	mac := hmac.New(sha256.New, k.Key)
	mac.Write(h[:])
	return mac.Sum(nil)
}
