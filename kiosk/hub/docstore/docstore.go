// Package docstore keeps the documents that wait for holders' signatures, and what the
// holders decided.
//
// Each holder has one entry in a key-value bucket, a list of records under a keyed hash of
// the holder's identifier. The contents are in an object store. Both are encrypted
// (AES-256-GCM), so that a JetStream outside of the hub does not disclose them. Everything is
// deleted after Memory. Each change is a compare-and-set, so any hub can make it.
package docstore

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
)

const (
	MaxLife = 30 * 24 * time.Hour // for which a document may wait
	Memory  = 90 * 24 * time.Hour // after which a document and its signature are deleted

	maxRecords = 50 // of one holder
)

// Record is a document and what its holder decided.
type Record struct {
	kiosk.DocumentInfo
	Holder  string    `json:"holder"`           // identifier
	Domain  string    `json:"domain,omitempty"` // trust domain of the holder; "" for any
	Size    int       `json:"size"`             // bytes
	Added   time.Time `json:"added"`
	Expires time.Time `json:"expires"` // the end of the time for signing

	Decision  kiosk.Decision `json:"decision,omitempty"` // "" while it waits
	Decided   time.Time      `json:"decided,omitzero"`
	Kiosk     string         `json:"kiosk,omitempty"`
	Visit     string         `json:"visit,omitempty"`
	Signature []byte         `json:"signature,omitempty"` // CAdES, DER
	SignedAt  time.Time      `json:"signed_at,omitzero"`  // by the kiosk's clock; it is in a signed PDF
}

// Waits reports whether a holder can decide.
func (r Record) Waits(now time.Time) bool { return r.Decision == "" && now.Before(r.Expires) }

// Errors of a Store.
var (
	ErrUnknown = errors.New("there is no such document")
	ErrDecided = errors.New("the document was decided otherwise, or has expired")
	errFull    = fmt.Errorf("the holder has %d documents already: remove some", maxRecords)
	errWaiting = fmt.Errorf("%d documents wait for the holder already", kiosk.MaxEntries)
)

// Store holds the documents of all holders.
type Store struct {
	bucket jetstream.KeyValue
	files  jetstream.ObjectStore
	names  []byte // key of the hash of identifiers
	aead   cipher.AEAD
	now    func() time.Time
}

// New returns a Store. secret is known to hubs only, all of which have the same.
func New(bucket jetstream.KeyValue, files jetstream.ObjectStore, secret []byte, now func() time.Time) (*Store, error) {
	names, contents := sha256.Sum256(append([]byte("names\x00"), secret...)), sha256.Sum256(append([]byte("contents\x00"), secret...))
	block, err := aes.NewCipher(contents[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Store{bucket, files, names[:], aead, now}, err
}

// keySize is the number of hexadecimal digits of a holder's key, with which the IDs of the
// holder's documents begin.
const keySize = 24

func (s *Store) key(holder string) string {
	mac := hmac.New(sha256.New, s.names)
	mac.Write([]byte(holder))
	return hex.EncodeToString(mac.Sum(nil))[:keySize]
}

func (s *Store) seal(name string, plain []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plain, []byte(name))
}

func (s *Store) open(name string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("it is cut off")
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], []byte(name))
}

// read returns the records under a key. The list is empty if the key is unknown.
func (s *Store) read(ctx context.Context, key string) (list []Record, revision uint64, err error) {
	entry, err := s.bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	text, err := s.open(key, entry.Value())
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the documents under %s: %w", key, err)
	}
	list = slices.DeleteFunc(list, func(r Record) bool { return !s.now().Before(r.Added.Add(Memory)) })
	return list, entry.Revision(), nil
}

// change replaces the records under a key by the result of apply.
func (s *Store) change(ctx context.Context, key string, apply func([]Record) ([]Record, error)) error {
	for {
		list, revision, err := s.read(ctx, key)
		if err != nil {
			return err
		}
		if list, err = apply(list); err != nil {
			return err
		}
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		_, err = s.bucket.Update(ctx, key, s.seal(key, text), revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			continue // another hub or command has changed them
		}
		return err
	}
}

// Add stores a document for r.Holder, who can decide for life, at most MaxLife. The caller
// has checked it. Add fills in ID, Size, Added and Expires.
func (s *Store) Add(ctx context.Context, r Record, content []byte, life time.Duration) (Record, error) {
	now := s.now().UTC()
	if life <= 0 || life > MaxLife {
		return r, fmt.Errorf("a document waits for at most %d days", int(MaxLife.Hours()/24))
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	key := s.key(r.Holder)
	r.ID, r.Size, r.Added = key+hex.EncodeToString(id), len(content), now
	r.Expires = now.Add(life)
	if _, err := s.files.PutBytes(ctx, r.ID, s.seal(r.ID, content)); err != nil {
		return r, err
	}
	err := s.change(ctx, key, func(list []Record) ([]Record, error) {
		waiting := 0
		for _, other := range list {
			if other.Waits(now) {
				waiting++
			}
		}
		switch {
		case len(list) >= maxRecords:
			return nil, errFull
		case waiting >= kiosk.MaxEntries:
			return nil, errWaiting
		}
		return append(list, r), nil
	})
	if err != nil {
		return r, errors.Join(err, s.files.Delete(ctx, r.ID))
	}
	return r, nil
}

// Waiting lists the documents that wait for a holder, the oldest first.
func (s *Store) Waiting(ctx context.Context, h kiosk.Holder) ([]Record, error) {
	list, _, err := s.read(ctx, s.key(h.ID))
	return slices.DeleteFunc(list, func(r Record) bool { return !r.Waits(s.now()) || !r.of(h) }), err
}

// of reports whether the document is for a holder.
func (r Record) of(h kiosk.Holder) bool {
	return r.Holder == h.ID && (r.Domain == "" || r.Domain == h.Domain)
}

// Get returns a document. Error: ErrUnknown.
func (s *Store) Get(ctx context.Context, id string) (Record, error) {
	if len(id) <= keySize {
		return Record{}, ErrUnknown
	}
	list, _, err := s.read(ctx, id[:keySize])
	if err != nil {
		return Record{}, err
	}
	if i := slices.IndexFunc(list, func(r Record) bool { return r.ID == id }); i >= 0 {
		return list[i], nil
	}
	return Record{}, ErrUnknown
}

// Of returns a document of a holder, whether it waits or not. Error: ErrUnknown, also if it
// is for somebody else.
func (s *Store) Of(ctx context.Context, id string, h kiosk.Holder) (Record, error) {
	r, err := s.Get(ctx, id)
	if err == nil && !r.of(h) {
		return Record{}, ErrUnknown
	}
	return r, err
}

// Content returns the bytes of a document.
func (s *Store) Content(ctx context.Context, id string) ([]byte, error) {
	sealed, err := s.files.GetBytes(ctx, id)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	content, err := s.open(id, sealed)
	if err != nil {
		return nil, fmt.Errorf("cannot read document %s: %w", id, err)
	}
	return content, nil
}

// Decide stores what the holder decided: Decision, Kiosk, Visit and Signature of r, whose ID
// names the document. The same decision again changes nothing. Errors: ErrUnknown, ErrDecided.
func (s *Store) Decide(ctx context.Context, r Record) (decided Record, err error) {
	if len(r.ID) <= keySize {
		return Record{}, ErrUnknown
	}
	err = s.change(ctx, r.ID[:keySize], func(list []Record) ([]Record, error) {
		i := slices.IndexFunc(list, func(other Record) bool { return other.ID == r.ID })
		switch {
		case i < 0:
			return nil, ErrUnknown
		case list[i].Decision == r.Decision && list[i].Visit == r.Visit && bytes.Equal(list[i].Signature, r.Signature):
			decided = list[i]
			return list, nil
		case !list[i].Waits(s.now()):
			return nil, ErrDecided
		}
		list[i].Decision, list[i].Decided = r.Decision, s.now().UTC()
		list[i].Kiosk, list[i].Visit, list[i].Signature, list[i].SignedAt = r.Kiosk, r.Visit, r.Signature, r.SignedAt
		decided = list[i]
		return list, nil
	})
	return decided, err
}

// Remove deletes a document and its signature. Error: ErrUnknown.
func (s *Store) Remove(ctx context.Context, id string) error {
	if _, err := s.Get(ctx, id); err != nil {
		return err
	}
	err := s.change(ctx, id[:keySize], func(list []Record) ([]Record, error) {
		return slices.DeleteFunc(list, func(r Record) bool { return r.ID == id }), nil
	})
	if err != nil {
		return err
	}
	if err := s.files.Delete(ctx, id); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	return nil
}

// All lists the documents of all holders, the oldest first.
func (s *Store) All(ctx context.Context) (all []Record, err error) {
	keys, err := s.bucket.ListKeys(ctx)
	if err != nil {
		return nil, err
	}
	defer keys.Stop()
	for key := range keys.Keys() {
		list, _, err := s.read(ctx, key)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b Record) int { return a.Added.Compare(b.Added) })
	return all, nil
}
