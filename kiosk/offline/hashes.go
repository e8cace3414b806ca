package offline

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

// maxHashes is how many hashes a kiosk remembers, at most those of one day.
const maxHashes = 4096

// hashes remembers the expensive hashes of the day's holders, in memory only and without
// their identifiers. The zero value is ready for use.
type hashes struct {
	mu  sync.Mutex
	key [sha256.Size]byte // replaced each day
	day int64
	all map[[sha256.Size]byte]hubpolicy.HolderHash
}

// of returns the hash of a holder's identifier.
func (s *hashes) of(salt []byte, id string, day int64) hubpolicy.HolderHash {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil || s.day != day || len(s.all) >= maxHashes {
		s.day, s.all = day, map[[sha256.Size]byte]hubpolicy.HolderHash{}
		_, _ = rand.Read(s.key[:]) // never fails
	}
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(salt)
	name := []byte(id)
	mac.Write(name)
	clear(name)
	index := [sha256.Size]byte(mac.Sum(nil))
	h, ok := s.all[index]
	if !ok {
		h = hubpolicy.HashHolder(salt, id)
		s.all[index] = h
	}
	return h
}
