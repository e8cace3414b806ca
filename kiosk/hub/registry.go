package hub

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// The registry lists every certificate that the hub's CA has issued to a client. A hub
// accepts only certificates that are in it and have not ended. All hubs on one JetStream
// share it.

const (
	identitiesBucket = "smartkiosk-identities" // <role>.<name> → entry

	// begunKey is the entry that says when the registry began. Certificates from before
	// that may be unknown to the registry; see adopt.
	begunKey = "begun"

	// maxCertificates is how many certificates of one identity the registry remembers. It
	// forgets the oldest ones that have ended or expired.
	maxCertificates = 16
)

// registry is the list of certificates in JetStream.
type registry struct {
	kv  jetstream.KeyValue
	js  jetstream.JetStream
	now func() time.Time
}

// entry is what the registry knows of one identity.
type entry struct {
	Certificates []certificateEntry `json:"certificates"` // the newest first
	Removed      time.Time          `json:"removed,omitzero"`
}

// certificateEntry is one certificate of an identity.
type certificateEntry struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the DER, in hexadecimal
	Serial      string    `json:"serial"`      // in hexadecimal
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Key         []byte    `json:"key"` // the public key (SubjectPublicKeyInfo, DER)
	Issued      time.Time `json:"issued"`
	Source      source    `json:"source"`
	Ended       time.Time `json:"ended,omitzero"`  // when another one replaced it, or when the identity was removed
	Barred      bool      `json:"barred,omitzero"` // the identity was removed: whoever has the key may not enrol again
}

// source says how a certificate came about.
type source string

const (
	fromBundle  source = "bundle"  // with a key that the hub made
	fromRequest source = "request" // "kiosk add --csr"
	fromCode    source = "code"    // enrolled with a one-time code
	fromRenewal source = "renewal" // asked for by its holder, or by the operator
	adopted     source = "adopted" // issued before the registry began
)

func newCertificateEntry(cert *x509.Certificate, from source, now time.Time) certificateEntry {
	return certificateEntry{
		Fingerprint: fingerprint(cert.Raw), Serial: cert.SerialNumber.Text(16), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		Key: cert.RawSubjectPublicKeyInfo, Issued: now.UTC(), Source: from,
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// current returns the newest certificate that has not ended, or nil. It may have expired.
func (e entry) current() *certificateEntry {
	for i := range e.Certificates {
		if e.Certificates[i].Ended.IsZero() {
			return &e.Certificates[i]
		}
	}
	return nil
}

// find returns the certificate with a fingerprint, or nil.
func (e entry) find(fingerprint string) *certificateEntry {
	for i := range e.Certificates {
		if e.Certificates[i].Fingerprint == fingerprint {
			return &e.Certificates[i]
		}
	}
	return nil
}

// end ends all certificates.
func (e *entry) end(now time.Time) {
	for i := range e.Certificates {
		if c := &e.Certificates[i]; c.Ended.IsZero() {
			c.Ended = now.UTC()
		}
	}
}

// add adds a certificate as the newest one.
func (e *entry) add(c certificateEntry) {
	e.Certificates = slices.Insert(e.Certificates, 0, c)
	for i := len(e.Certificates) - 1; i > 0 && len(e.Certificates) > maxCertificates; i-- {
		if old := e.Certificates[i]; !old.Ended.IsZero() || c.Issued.After(old.NotAfter) {
			e.Certificates = slices.Delete(e.Certificates, i, i+1)
		}
	}
}

// keys returns the public keys of all certificates. A kiosk may still have events that it
// signed with an earlier key.
func (e entry) keys() (all []crypto.PublicKey) {
	var seen [][]byte
	for _, c := range e.Certificates {
		key, err := x509.ParsePKIXPublicKey(c.Key)
		if err == nil && !slices.ContainsFunc(seen, func(k []byte) bool { return string(k) == string(c.Key) }) {
			all, seen = append(all, key), append(seen, c.Key)
		}
	}
	return all
}

// openRegistry opens the registry, or creates it. A registry that is new adopts the
// certificates in the bundles of a hub's folder.
func openRegistry(ctx context.Context, js jetstream.JetStream, dir string, now func() time.Time) (*registry, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: identitiesBucket, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, err
	}
	r := &registry{kv, js, now}
	if _, err := kv.Get(ctx, begunKey); !errors.Is(err, jetstream.ErrKeyNotFound) {
		return r, err
	}
	if err := r.adoptBundles(ctx, dir); err != nil {
		return nil, err
	}
	_, err = kv.Create(ctx, begunKey, []byte(now().UTC().Format(time.RFC3339)))
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = nil // another process was faster
	}
	return r, err
}

// adoptBundles registers the certificates of the bundles in a hub's folder.
func (r *registry) adoptBundles(ctx context.Context, dir string) error {
	for role, sub := range bundleDirs {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*", string(role)+".pem"))
		if err != nil {
			return err
		}
		for _, file := range files {
			cert, _, err := readCertificate(file)
			if errors.Is(err, os.ErrPermission) {
				return err
			}
			if err != nil {
				continue // it could not connect before, either
			}
			if id, err := hubapi.IdentityOf(cert); err == nil && id.Role == role {
				if _, err := r.adopt(ctx, id, cert); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// adopt registers a certificate from before the registry began, unless the registry knows
// its identity. It returns the identity's entry.
func (r *registry) adopt(ctx context.Context, id hubapi.Identity, cert *x509.Certificate) (entry, error) {
	e := entry{Certificates: []certificateEntry{newCertificateEntry(cert, adopted, r.now())}}
	e.Certificates[0].Issued = cert.NotBefore.Add(backdated)
	text, err := json.Marshal(e)
	if err != nil {
		return entry{}, err
	}
	_, err = r.kv.Create(ctx, keyOf(id), text)
	if errors.Is(err, jetstream.ErrKeyExists) {
		known, _, err := r.get(ctx, id)
		return known, err
	}
	return e, err
}

// begun returns when the registry began.
func (r *registry) begun(ctx context.Context) (time.Time, error) {
	e, err := r.kv.Get(ctx, begunKey)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(e.Value()))
}

func keyOf(id hubapi.Identity) string { return string(id.Role) + "." + id.Name }

// identityOf is the opposite of keyOf.
func identityOf(key string) (hubapi.Identity, bool) {
	role, name, ok := strings.Cut(key, ".")
	return hubapi.Identity{Role: hubapi.Role(role), Name: name}, ok
}

// get returns what the registry knows of an identity, and the revision of that. The
// revision is 0 if the registry does not know the identity.
func (r *registry) get(ctx context.Context, id hubapi.Identity) (e entry, revision uint64, err error) {
	found, err := r.kv.Get(ctx, keyOf(id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return entry{}, 0, nil
	}
	if err != nil {
		return entry{}, 0, storeError{err}
	}
	if err := json.Unmarshal(found.Value(), &e); err != nil {
		return entry{}, 0, fmt.Errorf("cannot read the registered certificates of %s: %w", id, err)
	}
	return e, found.Revision(), nil
}

// change changes an identity's entry. f may be called several times, because another
// process may change the entry at the same time.
func (r *registry) change(ctx context.Context, id hubapi.Identity, f func(*entry) error) error {
	for {
		e, revision, err := r.get(ctx, id)
		if err == nil {
			err = f(&e)
		}
		if err != nil {
			return err
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if revision == 0 {
			_, err = r.kv.Create(ctx, keyOf(id), text)
		} else {
			_, err = r.kv.Update(ctx, keyOf(id), text, revision)
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		if err != nil {
			return storeError{err}
		}
		return nil
	}
}

// register registers a certificate that was issued. If replace is true the identity's
// earlier certificates end; otherwise they stay valid until they expire.
func (r *registry) register(ctx context.Context, id hubapi.Identity, cert *x509.Certificate, from source, replace bool) error {
	return r.change(ctx, id, func(e *entry) error {
		if slices.ContainsFunc(e.Certificates, func(old certificateEntry) bool {
			return old.Barred && bytes.Equal(old.Key, cert.RawSubjectPublicKeyInfo)
		}) {
			return errBarred
		}
		if replace {
			e.end(r.now())
			e.Removed = time.Time{}
		} else if !e.Removed.IsZero() {
			return errRemoved
		}
		e.add(newCertificateEntry(cert, from, r.now()))
		return nil
	})
}

// remove ends all certificates of an identity, which the registry need not know.
func (r *registry) remove(ctx context.Context, id hubapi.Identity) error {
	return r.change(ctx, id, func(e *entry) error {
		if !e.Removed.IsZero() {
			return errRemoved
		}
		e.end(r.now())
		for i := range e.Certificates {
			e.Certificates[i].Barred = true
		}
		e.Removed = r.now().UTC()
		return nil
	})
}

// all returns the entries of all identities with a role.
func (r *registry) all(ctx context.Context, role hubapi.Role) (map[string]entry, error) {
	entries := map[string]entry{}
	err := eachEntry(ctx, r.kv, string(role)+".*", func(key string, text []byte) error {
		id, _ := identityOf(key)
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("cannot read the registered certificates of %s: %w", id, err)
		}
		entries[id.Name] = e
		return nil
	})
	return entries, err
}

// eachEntry calls f with the entries of a bucket that exist now and whose keys match.
func eachEntry(ctx context.Context, kv jetstream.KeyValue, keys string, f func(key string, text []byte) error) error {
	watch, err := kv.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return storeError{err}
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return storeError{ctx.Err()}
		case e := <-watch.Updates():
			if e == nil {
				return nil
			}
			if err := f(e.Key(), e.Value()); err != nil {
				return err
			}
		}
	}
}

// Reasons why a certificate is not accepted.
var (
	errRemoved      = errors.New("it was removed")
	errBarred       = errors.New("its key belongs to a certificate that was removed: make a new key")
	errReplaced     = errors.New("another certificate has replaced this one")
	errExpired      = errors.New("the certificate has expired")
	errUnregistered = errors.New("the certificate is not registered")
)

// check returns nil if the entry accepts a certificate.
func (e entry) check(fingerprint string) error {
	if !e.Removed.IsZero() {
		return errRemoved
	}
	c := e.find(fingerprint)
	if c == nil {
		return errUnregistered
	}
	if !c.Ended.IsZero() {
		return errReplaced
	}
	return nil
}
