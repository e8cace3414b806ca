package hub

import (
	"context"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Hubs refer to holders by pseudonyms that are expensive to compute; see "Names of
// holders" in package hubpolicy. The hashes are stored, so that each is computed once for
// all hubs and all kiosks.

const (
	holdersBucket = "smartkiosk-holders" // index of the identifier → hubpolicy.HolderHash

	// hashMemory is how long JetStream stores a hash. A hash that is still needed then is
	// computed again.
	hashMemory = 400 * 24 * time.Hour
	maxHashes  = 50_000 // in memory
)

// holders computes and stores the hashes of holders' identifiers.
type holders struct {
	secret []byte // all other keys are derived from it
	salt   []byte
	stored jetstream.KeyValue

	mu     sync.Mutex
	hashes map[string]hubpolicy.HolderHash // by index

	grants  chan knownGrant
	changed chan struct{} // the rules may name other holders
}

// newHolders derives the keys from the key that signs policies, so that all hubs with the
// same signing key use the same pseudonyms.
func newHolders(sign jose.JSONWebKey) (*holders, error) {
	private, ok := sign.Key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot make a key for holders' names: the signing key is a %T", sign.Key)
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cannot make a key for holders' names: %w", err)
	}
	s := &holders{
		hashes: map[string]hubpolicy.HolderHash{}, grants: make(chan knownGrant, maxPendingGrants), changed: make(chan struct{}, 1),
	}
	if s.secret, err = hkdf.Key(sha256.New, secret, nil, "smartkiosk holders", sha256.Size); err != nil {
		return nil, err
	}
	s.salt = s.derive("salt", "")
	return s, nil
}

func (s *holders) derive(what, name string) []byte {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(what + "\x00" + name))
	return mac.Sum(nil)
}

// keys returns the keys of the pseudonyms at one kiosk.
func (s *holders) keys(kioskID string) hubpolicy.HolderKeys {
	return hubpolicy.HolderKeys{Salt: s.salt, Key: s.derive("kiosk", kioskID)}
}

func (s *holders) attach(ctx context.Context, js jetstream.JetStream) (err error) {
	s.stored, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: holdersBucket, Storage: jetstream.FileStorage, TTL: hashMemory,
	})
	return err
}

// hash returns the hash of a holder's identifier. It computes it only if no hub has
// computed it before.
func (s *holders) hash(ctx context.Context, id string) (hubpolicy.HolderHash, error) {
	index := hex.EncodeToString(s.derive("index", id))
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.hashes[index]; ok {
		return h, nil
	}
	if ctx.Err() != nil {
		return hubpolicy.HolderHash{}, storeError{ctx.Err()}
	}
	var h hubpolicy.HolderHash
	switch entry, err := s.stored.Get(ctx, index); {
	case err == nil && len(entry.Value()) == len(h):
		h = hubpolicy.HolderHash(entry.Value())
	case err != nil && !errors.Is(err, jetstream.ErrKeyNotFound):
		return h, storeError{err}
	default:
		h = hubpolicy.HashHolder(s.salt, id)
		if _, err := s.stored.Put(ctx, index, h[:]); err != nil {
			return h, storeError{err}
		}
	}
	if len(s.hashes) >= maxHashes {
		clear(s.hashes)
	}
	s.hashes[index] = h
	return h, nil
}

// knownGrant is a grant that the hub has given, for the offline rule "known".
type knownGrant struct {
	kiosk  string
	holder kiosk.Holder
}

// maxPendingGrants is how many grants may wait until their holders' hashes are computed.
// Those beyond that, and those that wait when the hub stops, are not recorded: a kiosk
// then refuses the holder offline until the hub has let the holder in again.
const maxPendingGrants = 1024

// hashHolders computes the hashes of the holders that the hub lets in, and of those whom
// deny rules name, until ctx ends. So neither a visit nor a request for a policy waits for
// many hashes.
func (h *Hub) hashHolders(ctx context.Context) {
	var denied []string // still to be hashed
	always := make(chan struct{})
	close(always)
	for {
		var more chan struct{} // nil while there is nothing to hash
		if len(denied) > 0 {
			more = always
		}
		select {
		case <-ctx.Done():
			return
		case g := <-h.holders.grants:
			if err := h.recordKnown(ctx, g); err != nil && ctx.Err() == nil {
				h.log.Error("cannot record that the hub knows a holder", "kiosk", g.kiosk, "err", err)
			}
		case <-h.holders.changed:
			denied = h.rules.Rules().DeniedSubjects()
		case <-more:
			_, err := h.holders.hash(ctx, denied[0])
			if denied = denied[1:]; err != nil {
				denied = nil // the request for a policy tries again, and reports the error
			}
		}
	}
}

// rulesChanged is called with new rules.
func (h *Hub) rulesChanged(r *rules.Rules) {
	h.warnOffline(r)
	if h.config.Offline.Rule == hubpolicy.Never {
		return // the kiosks get no deny rules
	}
	select {
	case h.holders.changed <- struct{}{}:
	default:
	}
}
