package hub

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// A one-time code lets a technician enrol one kiosk. The hub stores a keyed hash of its
// secret.

const (
	codesBucket = "smartkiosk-codes" // kiosk → codeEntry

	codeLife     = 24 * time.Hour
	codeMemory   = 48 * time.Hour // then the hub can no longer say that a code has expired
	codeRetry    = time.Hour      // after its use the same kiosk may repeat it, if the answer was lost
	codeAttempts = 5              // wrong secrets until the code is locked
)

// codeEntry is a one-time code in JetStream.
type codeEntry struct {
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	Hash    []byte    `json:"hash"`
	Wrong   int       `json:"wrong"`             // attempts with a wrong secret
	Used    time.Time `json:"used,omitzero"`     // when it was first used
	UsedBy  string    `json:"used_by,omitempty"` // digest of the public key that it was used for
}

// codes are the one-time codes of all kiosks.
type codes struct {
	kv  jetstream.KeyValue
	key []byte // of the hash
	now func() time.Time

	mu    sync.Mutex
	known map[string]codeEntry // by kiosk
	seen  uint64               // revision of the bucket up to which known is complete
}

// openCodes opens the bucket, or creates it.
func openCodes(ctx context.Context, js jetstream.JetStream, sign jose.JSONWebKey, now func() time.Time) (*codes, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: codesBucket, Storage: jetstream.FileStorage, TTL: codeMemory})
	if err != nil {
		return nil, err
	}
	key, err := codeKey(sign)
	return &codes{kv: kv, key: key, now: now, known: map[string]codeEntry{}}, err
}

// codeKey derives the key of the codes' hashes from the signing key, which all hubs share.
// A code is too short for a hash without a key.
func codeKey(sign jose.JSONWebKey) ([]byte, error) {
	private, ok := sign.Key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot make a key for codes: the signing key is a %T", sign.Key)
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cannot make a key for codes: %w", err)
	}
	defer clear(secret)
	return hkdf.Key(sha256.New, secret, nil, "smartkiosk codes", sha256.Size)
}

func (c *codes) hash(kiosk string, secret est.Secret) []byte {
	sum := hmac.New(sha256.New, c.key)
	_, _ = fmt.Fprintf(sum, "%s:", kiosk)
	_, _ = sum.Write(secret)
	return sum.Sum(nil)
}

// put stores a new code. It replaces an earlier code of the same kiosk.
func (c *codes) put(ctx context.Context, code est.Code) (expires time.Time, err error) {
	now := c.now().UTC()
	e := codeEntry{Made: now, Expires: now.Add(codeLife), Hash: c.hash(code.Kiosk, code.Secret)}
	text, err := json.Marshal(e)
	if err != nil {
		return expires, err
	}
	if _, err := c.kv.Put(ctx, code.Kiosk, text); err != nil {
		return expires, storeError{err}
	}
	return e.Expires, nil
}

// Reasons why a code is refused.
var (
	errWrongCode   = errors.New("the code is wrong, or was revoked")
	errCodeLocked  = errors.New("the code is locked after 5 wrong attempts: ask the operator for a new one")
	errCodeExpired = errors.New("the code has expired: ask the operator for a new one")
	errCodeUsed    = errors.New("the code was used: ask the operator for a new one")
)

// redeem uses a code for a public key. A wrong secret counts as an attempt. A code that was
// used may be used again for the same key within codeRetry, because the first answer may
// have been lost. With the key "" redeem only checks the secret.
func (c *codes) redeem(ctx context.Context, kiosk string, secret est.Secret, key string) error {
	given := c.hash(kiosk, secret)
	for {
		found, err := c.kv.Get(ctx, kiosk)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return errWrongCode
		}
		if err != nil {
			return storeError{err}
		}
		var e codeEntry
		if err := json.Unmarshal(found.Value(), &e); err != nil {
			return fmt.Errorf("cannot read the code of kiosk %s: %w", kiosk, err)
		}
		refused := c.use(&e, given, key)
		if refused != nil && refused != errWrongCode {
			return refused
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = c.kv.Update(ctx, kiosk, text, found.Revision())
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			continue // another attempt was counted at the same time
		}
		if err != nil {
			return storeError{err}
		}
		return refused
	}
}

// use changes an entry for one attempt. The caller must store it after errWrongCode and
// after nil.
func (c *codes) use(e *codeEntry, given []byte, key string) error {
	now := c.now().UTC()
	switch {
	case e.Wrong >= codeAttempts:
		return errCodeLocked
	case !hmac.Equal(e.Hash, given):
		e.Wrong++
		return errWrongCode
	case !now.Before(e.Expires):
		return errCodeExpired
	case key == "":
	case !e.Used.IsZero() && (e.UsedBy != key || now.Sub(e.Used) > codeRetry):
		return errCodeUsed
	case e.Used.IsZero():
		e.Used, e.UsedBy = now, key
	}
	return nil
}

// state describes an entry for the operator.
func (e codeEntry) state(now time.Time) string {
	switch {
	case !e.Used.IsZero():
		return "used"
	case e.Wrong >= codeAttempts:
		return "locked"
	case !now.Before(e.Expires):
		return "expired"
	}
	return "open"
}

// waiting reports whether a kiosk may be about to enrol, or a technician may try a code
// that expired a short time ago. Otherwise the hub accepts no connection without a client
// certificate. If the bucket cannot be read, waiting returns true, and redeem says why.
func (c *codes) waiting() bool {
	if c.open() {
		return true
	}
	// A code may have been made a moment ago.
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return c.catchUp(ctx) != nil || c.open()
}

func (c *codes) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, e := range c.known {
		if now.Before(e.Made.Add(codeMemory)) && (e.Used.IsZero() || now.Sub(e.Used) < codeRetry) {
			return true
		}
	}
	return false
}

// load reads the codes that there are now.
func (c *codes) load(ctx context.Context) error {
	return eachEntry(ctx, c.kv, ">", c.learn)
}

// catchUp reads the codes if there were changes that the hub has not heard of.
func (c *codes) catchUp(ctx context.Context) error {
	status, err := c.kv.Status(ctx)
	if err != nil {
		return err
	}
	newest := status.(*jetstream.KeyValueBucketStatus).StreamInfo().State.LastSeq
	c.mu.Lock()
	current := c.seen >= newest
	c.mu.Unlock()
	if current {
		return nil
	}
	if err := c.load(ctx); err != nil {
		return err
	}
	c.saw(newest)
	return nil
}

// saw notes that known is complete up to a revision.
func (c *codes) saw(revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, revision)
}

func (c *codes) learn(kiosk string, text []byte) error {
	var e codeEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("cannot read the code of kiosk %s: %w", kiosk, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[kiosk] = e
	return nil
}

func (c *codes) forget(kiosk string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, kiosk)
}

// follow reads the codes, and then their changes, until ctx ends.
func (c *codes) follow(ctx context.Context) error {
	return follow(ctx, c.kv, func(found jetstream.KeyValueEntry) error {
		defer c.saw(found.Revision())
		if found.Operation() != jetstream.KeyValuePut {
			c.forget(found.Key())
			return nil
		}
		return c.learn(found.Key(), found.Value())
	})
}

// follow calls f with the entries of a bucket, and then with their changes, until ctx ends.
func follow(ctx context.Context, kv jetstream.KeyValue, f func(jetstream.KeyValueEntry) error, options ...jetstream.WatchOpt) error {
	watch, err := kv.WatchAll(ctx, options...)
	if err != nil {
		return err
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case found, ok := <-watch.Updates():
			if !ok {
				return nil
			}
			if found == nil { // there are no more older entries
				continue
			}
			if err := f(found); err != nil {
				return err
			}
		}
	}
}

// useCodes calls f with the codes of the hub in a folder, which may be running.
func useCodes(dir string, f func(ctx context.Context, c *codes) error) error {
	sign, err := readPrivateJWK(filepath.Join(dir, signFile))
	if err != nil {
		return err
	}
	return useStore(dir, func(ctx context.Context, js jetstream.JetStream) error {
		c, err := openCodes(ctx, js, sign, time.Now)
		if err != nil {
			return err
		}
		return f(ctx, c)
	})
}

// NewCode makes a one-time code with which a kiosk can enrol until expires. An earlier code
// of the same kiosk is void.
func NewCode(dir, kiosk string) (code est.Code, expires time.Time, err error) {
	code, expires, err = newCode(dir, kiosk)
	if err != nil {
		err = fmt.Errorf("cannot make a code for kiosk %s: %w", kiosk, err)
	}
	return code, expires, err
}

func newCode(dir, kiosk string) (code est.Code, expires time.Time, err error) {
	if !hubapi.ValidName(kiosk) {
		return code, expires, errors.New("a name is 1 to 63 lower-case letters, digits and hyphens")
	}
	// Without trust domains the kiosk could not accept any card.
	if err := checkTrust(dir); err != nil {
		return code, expires, err
	}
	ca, err := readAuthority(dir)
	if err != nil {
		return code, expires, err
	}
	if code, err = est.NewCode(kiosk, ca.cert, rand.Reader); err != nil {
		return code, expires, err
	}
	err = useCodes(dir, func(ctx context.Context, c *codes) error {
		expires, err = c.put(ctx, code)
		return err
	})
	return code, expires, err
}

// CodeState describes a one-time code for the operator, without its secret.
type CodeState struct {
	Kiosk   string    `json:"kiosk"`
	State   string    `json:"state"` // open, used, locked or expired
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	Wrong   int       `json:"wrong"` // wrong attempts
}

// Codes lists the one-time codes of the last two days, by kiosk.
func Codes(dir string) (list []CodeState, err error) {
	err = useCodes(dir, func(ctx context.Context, c *codes) error {
		return eachEntry(ctx, c.kv, ">", func(kiosk string, text []byte) error {
			var e codeEntry
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("cannot read the code of kiosk %s: %w", kiosk, err)
			}
			list = append(list, CodeState{kiosk, e.state(c.now()), e.Made, e.Expires, e.Wrong})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list codes: %w", err)
	}
	slices.SortFunc(list, func(a, b CodeState) int { return cmp.Compare(a.Kiosk, b.Kiosk) })
	return list, nil
}

// RevokeCode deletes the one-time code of a kiosk.
func RevokeCode(dir, kiosk string) error {
	err := useCodes(dir, func(ctx context.Context, c *codes) error {
		if _, err := c.kv.Get(ctx, kiosk); err != nil {
			if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
				return errors.New("it has no code")
			}
			return storeError{err}
		}
		return c.kv.Delete(ctx, kiosk)
	})
	if err != nil {
		return fmt.Errorf("cannot revoke the code of kiosk %s: %w", kiosk, err)
	}
	return nil
}

// keyDigest names a public key.
func keyDigest(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}
