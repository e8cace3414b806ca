package policy_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// good is a valid policy.
func good(seal *ecdsa.PrivateKey) hubpolicy.Policy {
	return hubpolicy.Policy{
		Kiosk: "k1", IssuedAt: noon, ValidUntil: noon.AddDate(0, 0, 3), AskEvery: hubpolicy.Duration(15 * time.Minute),
		Offline: hubpolicy.OfflineRules{Rule: hubpolicy.Never, UntrustedClock: hubpolicy.Deny},
		Seal:    sealkey.Key{JSONWebKey: jose.JSONWebKey{Key: &seal.PublicKey}}, CRLs: []hubpolicy.CRL{},
		Holders: hubpolicy.HolderKeys{Salt: []byte("salt of this hub"), Key: []byte("key of one kiosk")},
	}
}

const (
	origin = "https://hub.example"
	nonce  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

var onePKI = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(noon) })

// disk keeps records in memory and counts writes.
type disk struct {
	values     map[string][]byte
	writes     int
	unreadable error // of each Get
}

func (d *disk) Get(bucket, key string) ([]byte, error) {
	return d.values[bucket+"/"+key], d.unreadable
}

func (d *disk) Put(bucket string, values map[string][]byte) error {
	d.writes++
	for key, value := range values {
		if value == nil {
			delete(d.values, bucket+"/"+key)
		} else {
			d.values[bucket+"/"+key] = value
		}
	}
	return nil
}

func (d *disk) Each(bucket string, f func(string, []byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(d.values)) {
		if rest, ok := strings.CutPrefix(key, bucket+"/"); ok {
			if err := f(rest, d.values[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *disk) count(bucket string) (n int) {
	_ = d.Each(bucket, func(string, []byte) error { n++; return nil })
	return n
}

// bench is a kiosk together with a hub whose answers the test sets.
type bench struct {
	offered kiosk.Services
	t       *testing.T
	disk    *disk
	witness string // path
	key     *ecdsa.PrivateKey
	at      time.Time
	seen    time.Time

	mu     sync.Mutex       // guards the fields below in TestRun
	policy hubpolicy.Policy // the hub's
	sets   map[string][]byte
	down   bool
	asked  int
	known  map[string]int64

	askedKnown int
	sealed     crypto.PublicKey // the key that events are sealed to
	unsealed   error            // error when the key is replaced

	syncer  *policy.Syncer
	decider *offline.Decider
}

func (b *bench) At() time.Time            { return b.at }
func (b *bench) Behind() bool             { return false }
func (b *bench) AtLeast(at time.Time)     {}
func (b *bench) Issued(at time.Time)      { b.seen = at }
func (b *bench) seal(k sealkey.Key) error { b.sealed = k.Key; return b.unsealed }

var errDown = errors.New("no route to host")

func (b *bench) Policy(_ context.Context, version string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.down {
		return "", errDown
	}
	jws, ver, err := hubpolicy.Sign(b.policy, jose.JSONWebKey{Key: b.key})
	if ver == version {
		return "", err
	}
	return jws, err
}

func (b *bench) Known(_ context.Context, tag string) (map[string]int64, string, error) {
	b.askedKnown++
	if tag == "tag" {
		return nil, tag, nil
	}
	if tag == "tag" {
		return nil, tag, nil
	}
	return b.known, "tag", nil
}

func (b *bench) CRLSet(_ context.Context, digest string) (io.ReadCloser, error) {
	set, ok := b.sets[digest]
	if !ok {
		return nil, errors.New("there is nothing here")
	}
	return io.NopCloser(bytes.NewReader(set)), nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, witness: filepath.Join(t.TempDir(), "witness.json"), disk: &disk{values: map[string][]byte{}}, key: newKey(t), at: noon, policy: good(newKey(t)), sets: map[string][]byte{}}
	b.policy.Offline = hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, UntrustedClock: hubpolicy.Deny}
	pki := b.pki()
	b.policy.Domains = []trust.Document{{
		Name: "test", Anchors: [][]byte{pki.Root.Raw}, Intermediates: [][]byte{pki.PersonCA.Raw},
		Policies: []string{"2.16.578.1.26.1.3.1"}, Subject: trust.SubjectBuypass,
	}}
	b.revoke(1, "revoked")
	b.start()
	return b
}

func (b *bench) pki() *testpki.PKI {
	b.t.Helper()
	pki, err := onePKI()
	if err != nil {
		b.t.Fatal(err)
	}
	return pki
}

// revoke makes the hub's policy name a CRL that lists these cards.
func (b *bench) revoke(number int64, cards ...string) {
	b.t.Helper()
	pki := b.pki()
	var revoked []*x509.Certificate
	for _, card := range cards {
		revoked = append(revoked, pki.Holders[card].Authentication.Certificate)
	}
	der, err := pki.NewCRL(number, noon, noon.AddDate(0, 0, 30), revoked...)
	if err != nil {
		b.t.Fatal(err)
	}
	crl, err := trust.ReadCRL(bytes.NewReader(der), []*x509.Certificate{pki.PersonCA})
	if err != nil {
		b.t.Fatal(err)
	}
	var set bytes.Buffer
	if _, err := crl.WriteTo(&set); err != nil {
		b.t.Fatal(err)
	}
	sum := sha256.Sum256(set.Bytes())
	c := hubpolicy.CRL{Domain: "test", Digest: hex.EncodeToString(sum[:]), Size: int64(set.Len())}
	b.policy.CRLs, b.sets[c.Digest] = []hubpolicy.CRL{c}, set.Bytes()
}

// start simulates a start of the kiosk with the current content of its disk.
// The kiosk's own configuration denies everybody.
func (b *bench) start() {
	b.t.Helper()
	witness, err := offline.OpenWitness(b.witness)
	if err != nil {
		b.t.Fatal(err)
	}
	memory, err := offline.OpenMemory(b.disk, []byte(strings.Repeat("k", 32)), witness)
	if err != nil {
		b.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	b.decider = offline.NewDecider(origin, b, memory, offline.Config{Rules: hubpolicy.OfflineRules{Rule: hubpolicy.Never}}, log)
	b.syncer = &policy.Syncer{
		Kiosk: "k1", Key: &b.key.PublicKey, Hub: b, Records: b.disk, Secret: []byte("secret"), Clock: b, Decider: b.decider, Memory: memory, Witness: witness, Seal: b.seal, Log: log,
		Followed: func(p hubpolicy.Policy) { b.offered = p.Services },
	}
}

func (b *bench) open() {
	b.t.Helper()
	if err := b.syncer.Open(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) fetch() {
	b.t.Helper()
	if err := b.syncer.Fetch(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) expect(card string, want kiosk.Reason) {
	b.t.Helper()
	h := b.pki().Holders[card].Authentication
	token, err := webeid.Sign(h.Key, h.Certificate.Raw, origin, nonce)
	if err != nil {
		b.t.Fatal(err)
	}
	if v := b.decider.Decide(b.t.Context(), "visit-1", token, nonce); v.Reason != want {
		b.t.Errorf("%s: %q, want %q", card, v.Reason, want)
	}
}
