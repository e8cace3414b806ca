package policy_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
)

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
