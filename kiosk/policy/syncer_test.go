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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// A policy that cannot be read is an error of Open, and not the same as no policy.
func TestOpenWithoutDisk(t *testing.T) {
	b := newBench(t)
	b.start()
	b.disk.unreadable = errors.New("input/output error")
	if err := b.syncer.Open(); !errors.Is(err, b.disk.unreadable) {
		t.Errorf("opened with %v", err)
	}
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
		Offer: func(s kiosk.Services) { b.offered = s },
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

// A policy is in force as soon as it is fetched, also after a restart without
// the hub, until it expires.
func TestFollow(t *testing.T) {
	b := newBench(t)
	b.open() // no policy is stored
	b.expect("valid", kiosk.OfflineNever)
	b.fetch()
	b.expect("valid", "")
	b.expect("revoked", kiosk.Revoked)
	if !b.policy.Seal.Key.(*ecdsa.PublicKey).Equal(b.sealed) || b.seen.Before(noon) {
		t.Errorf("sealed to %v, the time seen is %s", b.sealed, b.seen)
	}
	if s := b.decider.Config(); len(s.Version) != 22 || !s.Until.Equal(b.policy.ValidUntil) {
		t.Errorf("the judge goes by %+v", s)
	}

	b.start()
	b.open()
	b.expect("valid", "")
	b.expect("revoked", kiosk.Revoked)
	b.at = b.policy.ValidUntil.Add(trust.DefaultSkew + time.Second)
	b.expect("valid", kiosk.OfflineExpired)
}

// The syncer follows changes of the hub's policy. It does not fetch a stored CRL
// again, and deletes a CRL that the policy no longer names.
func TestChanges(t *testing.T) {
	b := newBench(t)
	b.fetch()
	first := b.policy.CRLs[0].Digest
	delete(b.sets, first)
	b.policy.IssuedAt = noon.Add(time.Hour)
	b.fetch()
	b.expect("revoked", kiosk.Revoked)
	b.revoke(2, "valid")
	b.policy.Seal.Key = &newKey(t).PublicKey
	b.fetch()
	b.expect("valid", kiosk.Revoked)
	b.expect("blocked", "")
	if n := b.disk.count("crl-sets"); n != 1 || !b.policy.Seal.Key.(*ecdsa.PublicKey).Equal(b.sealed) {
		t.Errorf("%d parts of CRLs are kept, events are sealed to %v", n, b.sealed)
	}
	b.policy.Offline.Rule = hubpolicy.Never
	b.fetch()
	b.expect("blocked", kiosk.OfflineNever)
}

// The syncer writes nothing while the policy is unchanged.
func TestNothingNew(t *testing.T) {
	b := newBench(t)
	b.fetch()
	writes := b.disk.writes
	for range 10 {
		b.fetch()
	}
	if b.disk.writes != writes {
		t.Errorf("%d writes for nothing", b.disk.writes-writes)
	}
	b.policy.Offline.PerHolder = 1
	b.fetch()
	b.expect("valid", "")
	b.expect("valid", kiosk.OfflineLimit)
	b.fetch() // applies the new limit
	b.expect("valid", "")
}

// A policy that a hub issued while its clock was far ahead does not lock the kiosk: an
// earlier one replaces it.
func TestPolicyFromTheFuture(t *testing.T) {
	b := newBench(t)
	b.policy.IssuedAt, b.policy.ValidUntil = noon.AddDate(12, 0, 0), noon.AddDate(13, 0, 0)
	b.start()
	b.fetch()
	b.policy.IssuedAt, b.policy.ValidUntil = noon, noon.AddDate(0, 0, 7)
	b.fetch()
	if c := b.decider.Config(); !c.Until.Equal(b.policy.ValidUntil) {
		t.Errorf("the policy in force ends at %s", c.Until)
	}
}

// If anything is wrong with a new policy, the old one stays in force.
func TestFetchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		want   string
	}{
		"hub is down":     {func(b *bench) { b.down = true }, "no route"},
		"older":           {func(b *bench) { b.policy.IssuedAt = noon.Add(-time.Second) }, "before the policy in force"},
		"ended":           {func(b *bench) { b.policy.Offline.PerKiosk = 9; b.at = b.policy.ValidUntil.Add(trust.DefaultSkew) }, "expired at"},
		"another kiosk's": {func(b *bench) { b.policy.Kiosk = "k2" }, "for another kiosk"},
		"another hub's":   {func(b *bench) { b.key = newKey(b.t); b.policy.Offline.PerKiosk = 9 }, "not signed by the hub"},
		"no CRL":          {func(b *bench) { b.revoke(2); delete(b.sets, b.policy.CRLs[0].Digest) }, "nothing here"},
		"another CRL": {func(b *bench) {
			old := b.sets[b.policy.CRLs[0].Digest]
			b.revoke(2, "valid")
			b.sets[b.policy.CRLs[0].Digest] = old
		}, "does not have the digest that the policy names"},
		"CRL longer than said": {func(b *bench) {
			b.revoke(2)
			b.sets[b.policy.CRLs[0].Digest] = append(b.sets[b.policy.CRLs[0].Digest], 'x')
		}, "something follows"},
		"no CA": {func(b *bench) { b.policy.Domains = []trust.Document{{Name: "test"}} }, "no anchors"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.fetch()
			c.change(b)
			if err := b.syncer.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if b.at.Equal(noon) {
				b.expect("valid", "")
				b.expect("revoked", kiosk.Revoked)
			}
		})
	}
}

// The kiosk does not follow a stored policy that was altered. If a stored CRL is
// incomplete, its trust domain has no CRL until the syncer has fetched it again.
func TestAlteredOnDisk(t *testing.T) {
	b := newBench(t)
	b.fetch()
	stored := b.disk.values["policy/current"]
	if _, _, err := hubpolicy.Verify(string(stored), "k1", &b.key.PublicKey); !errors.Is(err, hubpolicy.ErrMalformed) {
		t.Error("the policy is stored in plain text")
	}
	b.disk.values["policy/current"] = append(slices.Clone(stored[:len(stored)-1]), ^stored[len(stored)-1])
	b.start()
	if err := b.syncer.Open(); err == nil {
		t.Error("an altered policy is followed")
	}
	b.expect("valid", kiosk.OfflineNever)

	b = newBench(t)
	b.fetch()
	for key, value := range b.disk.values {
		if strings.HasPrefix(key, "crl-sets/") {
			b.disk.values[key] = append(slices.Clone(value[:len(value)-1]), ^value[len(value)-1])
		}
	}
	b.start()
	b.open()
	b.expect("valid", kiosk.RevocationUnknown)
	b.fetch()
	b.expect("valid", "")
	b.expect("revoked", kiosk.Revoked)
}

// A CRL of many chunks is stored and read back.
func TestLargeCRL(t *testing.T) {
	b := newBench(t)
	set := b.sets[b.policy.CRLs[0].Digest]
	head := bytes.Replace(set[:bytes.Index(set, []byte("}\n"))+2], []byte(`"count":1}`), []byte(`"count":100000}`), 1)
	var large bytes.Buffer
	large.Write(head)
	for i := range 100_000 {
		large.Write([]byte{0, 0, 0, byte(i >> 16), byte(i >> 8), byte(i), 0, 1})
	}
	sum := sha256.Sum256(large.Bytes())
	c := hubpolicy.CRL{Domain: "test", Digest: hex.EncodeToString(sum[:]), Size: int64(large.Len())}
	b.policy.CRLs, b.sets[c.Digest] = []hubpolicy.CRL{c}, large.Bytes()
	b.fetch()
	if n := b.disk.count("crl-sets"); n != 4 {
		t.Errorf("%d parts", n)
	}
	b.start()
	b.open()
	b.expect("valid", "")
	if v := b.decider.Config().Domains.CRLs("test"); len(v) != 1 || v[0].Len() != 100_000 {
		t.Errorf("the CRL has %d entries", v[0].Len())
	}
}

// Run fetches at the interval of the policy. While the hub does not answer it
// retries sooner, with growing pauses. It returns when its context ends.
func TestRun(t *testing.T) {
	b := newBench(t)
	var told strings.Builder // read after Run has ended
	b.syncer.Log = slog.New(slog.NewTextHandler(&told, nil))
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.syncer.Run(ctx); close(ended) }()
		wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		asked := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.asked
		}
		change := func(f func()) {
			b.mu.Lock()
			defer b.mu.Unlock()
			f()
		}
		wait(0)
		if n := asked(); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		wait(24 * time.Hour)
		if n := asked(); n < 24*4*4/5 || n > 24*4+1 {
			t.Errorf("asked %d times in a day", n)
		}
		change(func() { b.down = true })
		wait(20 * time.Minute)
		before := asked()
		wait(15 * time.Minute)
		if n := asked() - before; n < 1 || n > 10 {
			t.Errorf("asked a hub that is down %d times in a quarter of an hour", n)
		}
		change(func() { b.down, b.policy.Offline.Rule = false, hubpolicy.Never })
		wait(20 * time.Minute)
		b.expect("valid", kiosk.OfflineNever)
		stop()
		<-ended
	})
	// Of many failures in a row the log has the first, and that they ended.
	for _, says := range []string{"cannot get policy", "policy fetched again after failures"} {
		if n := strings.Count(told.String(), says); n != 1 {
			t.Errorf("logged %d times: %s", n, says)
		}
	}
}

// Holders that the hub granted access at other kiosks are known here if the
// rule is hubpolicy.Known.
func TestLearn(t *testing.T) {
	b := newBench(t)
	b.fetch()
	if b.askedKnown != 0 {
		t.Error("asked for holders that no rule is about")
	}
	cert := b.pki().Holders["valid"].Authentication.Certificate
	p, err := b.decider.Config().Domains.Path(cert, trust.Authenticate, noon)
	if err != nil {
		t.Fatal(err)
	}
	b.known = map[string]int64{hex.EncodeToString(b.policy.Holders.Pseudonym(hubpolicy.HashHolder(b.policy.Holders.Salt, p.Holder.ID).In(p.Holder.Domain))): hubpolicy.Day(noon)}
	b.policy.Offline = hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 3, UntrustedClock: hubpolicy.Deny}
	b.fetch()
	b.expect("valid", "")
	b.expect("blocked", kiosk.OfflineUnknown)
	writes := b.disk.writes
	b.fetch()
	if b.askedKnown != 2 || b.disk.writes > writes+1 { // the one write counts the grant
		t.Errorf("asked %d times, %d writes", b.askedKnown, b.disk.writes-writes)
	}
	b.start()
	b.open()
	b.expect("valid", "")

	b.syncer = nil
	b.start()
	b.known = map[string]int64{"x": 1}
	if err := b.syncer.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "known holders") {
		t.Errorf("an invalid pseudonym: %v", err)
	}
}

// A policy whose sealing key cannot be used is in force otherwise. The syncer
// fetches it again until the key can be used.
func TestCannotSeal(t *testing.T) {
	b := newBench(t)
	b.unsealed = errors.New("disk full")
	for range 2 {
		if err := b.syncer.Fetch(t.Context()); !errors.Is(err, b.unsealed) {
			t.Errorf("got %v", err)
		}
		b.expect("valid", "")
		b.expect("revoked", kiosk.Revoked)
	}
	b.unsealed = nil
	b.fetch()
	asked := b.disk.writes
	b.fetch()
	if b.disk.writes != asked {
		t.Error("fetched again for nothing")
	}
}

// The kiosk denies everybody until it has reached the hub if the stored policy is lost,
// damaged or older than the last one in force, or if the witness is damaged.
func TestFailClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, b *bench)
		want   string // of Open's error; "" if the policy is used
	}{
		"nothing": {func(*testing.T, *bench) {}, ""},
		"records deleted": {func(_ *testing.T, b *bench) {
			clear(b.disk.values)
		}, "it is lost"},
		"records deleted, clock moved": {func(_ *testing.T, b *bench) {
			clear(b.disk.values)
			b.at = noon.AddDate(-1, 0, 0)
		}, "it is lost"},
		"policy overwritten": {func(_ *testing.T, b *bench) {
			b.disk.values["policy/current"] = []byte("x")
		}, "it is damaged"},
		"older copy put back": {func(_ *testing.T, b *bench) {
			old := maps.Clone(b.disk.values)
			b.policy.IssuedAt = noon.Add(time.Hour)
			b.fetch()
			b.disk.values = old
		}, "before the last one that was in force"},
		"witness overwritten": {func(t *testing.T, b *bench) {
			if err := os.WriteFile(b.witness, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is damaged"},
		"witness empty": {func(t *testing.T, b *bench) {
			if err := os.Truncate(b.witness, 0); err != nil {
				t.Fatal(err)
			}
		}, "is damaged"},
		"witness deleted": {func(t *testing.T, b *bench) {
			if err := os.Remove(b.witness); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.start()
			b.fetch()
			b.expect("valid", "")
			tt.change(t, b)
			b.start()
			err := b.syncer.Open()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if tt.want != "" {
				b.expect("valid", kiosk.OfflineNever)
				b.at = noon
				b.fetch() // the hub can be reached again
			}
			b.expect("valid", "")
			b.start()
			b.open()
			b.expect("valid", "")
		})
	}
}

// If neither the policy nor the witness can be written, the kiosk denies everybody,
// because it would not notice the loss of the policy.
func TestFailClosedReadOnly(t *testing.T) {
	b := newBench(t)
	b.witness = filepath.Join(t.TempDir(), "missing", "witness.json")
	b.start()
	if err := b.syncer.Fetch(t.Context()); err == nil {
		t.Error("a policy that leaves no trace is no error")
	}
	b.expect("valid", kiosk.OfflineNever)
}

// A clock that was once far ahead costs no holder: after the policy of that time the kiosk
// asks for the whole list again. Days in the future that it recorded itself are deleted.
func TestClockAheadForgetsNobody(t *testing.T) {
	b := newBench(t)
	cert := b.pki().Holders["valid"].Authentication.Certificate
	b.policy.Offline = hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 3, UntrustedClock: hubpolicy.Deny}
	b.policy.ValidUntil = noon.AddDate(3, 0, 0)
	b.fetch()
	p, err := b.decider.Config().Domains.Path(cert, trust.Authenticate, noon)
	if err != nil {
		t.Fatal(err)
	}
	b.known = map[string]int64{hex.EncodeToString(b.policy.Holders.Pseudonym(hubpolicy.HashHolder(b.policy.Holders.Salt, p.Holder.ID).In(p.Holder.Domain))): hubpolicy.Day(noon)}
	b.policy.IssuedAt = b.policy.IssuedAt.Add(time.Second)
	b.fetch()
	b.expect("valid", "")

	b.at = noon.AddDate(2, 0, 0)
	b.policy.IssuedAt = b.policy.IssuedAt.Add(time.Second)
	b.fetch()
	b.decider.RecordGrant(p.Holder) // a day in the future
	b.at = noon
	b.expect("valid", "")
	b.known = map[string]int64{}
	b.policy.IssuedAt = b.policy.IssuedAt.Add(time.Second)
	b.fetch()
	b.expect("valid", kiosk.OfflineUnknown)
}

// A new policy brings the services of the kiosk, and so does the stored one after a
// restart.
func TestServicesOfPolicy(t *testing.T) {
	b := newBench(t)
	b.policy.Services = kiosk.Services{ChangePIN: true}
	b.fetch()
	if !b.offered.ChangePIN {
		t.Error("a new policy does not bring its services")
	}
	b.offered = kiosk.Services{}
	b.start()
	b.open()
	if !b.offered.ChangePIN {
		t.Error("the stored policy does not bring its services")
	}
}
