package offline_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

const (
	origin = "https://hub.example"
	nonce  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// keys are the hub's.
var keys = hubpolicy.HolderKeys{Salt: []byte("salt of this hub"), Key: []byte("key of one kiosk")}

func pseudonym(h kiosk.Holder) []byte {
	return keys.Pseudonym(hubpolicy.HashHolder(keys.Salt, h.ID).In(h.Domain))
}

// made is the time at which the test PKI was made. Its CRL was issued an hour earlier.
var made = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var onePKI = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(made) })

// disk keeps records in memory and counts writes.
type disk struct {
	values map[string][]byte
	writes int
	err    error
	putErr error
}

func (d *disk) Get(bucket, key string) ([]byte, error) { return d.values[bucket+"/"+key], d.err }

func (d *disk) Put(bucket string, values map[string][]byte) error {
	if err := cmp.Or(d.err, d.putErr); err != nil {
		return err
	}
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
	return d.err
}

// bench is a Decider on fakes.
type bench struct {
	t         *testing.T
	disk      *disk
	witness   string // path
	witnessed *offline.Witness
	at        time.Time
	behind    bool
	*offline.Decider
	memory *offline.Memory
	log    bytes.Buffer
}

func (b *bench) At() time.Time { return b.at }
func (b *bench) Behind() bool  { return b.behind }

func newBench(t *testing.T, rules hubpolicy.OfflineRules) *bench {
	t.Helper()
	pki, err := onePKI()
	if err != nil {
		t.Fatal(err)
	}
	cas := []*x509.Certificate{pki.PersonCA, pki.Root}
	crl, err := trust.ReadCRL(bytes.NewReader(pki.CRL), cas)
	if err != nil {
		t.Fatal(err)
	}
	domains, err := trust.New(trust.Domain{
		Name: "buypass-test", Anchors: cas[1:], Intermediates: cas[:1], Policies: []string{"2.16.578.1.26.1.3.1"},
		Subject: trust.SubjectBuypass, CRLs: []*trust.CRL{crl},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, witness: filepath.Join(t.TempDir(), "witness.json"), disk: &disk{values: map[string][]byte{}}, at: made}
	b.restart(offline.Config{Domains: domains, Rules: rules, Version: "rules-7", Until: made.AddDate(0, 0, 7), Holders: keys})
	return b
}

// restart simulates a restart of the device with the current content of its disk.
func (b *bench) restart(s offline.Config) {
	b.t.Helper()
	witness, err := offline.OpenWitness(b.witness)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.memory, err = offline.OpenMemory(b.disk, []byte("0123456789abcdef0123456789abcdef"), witness); err != nil {
		b.t.Fatal(err)
	}
	b.witnessed = witness
	b.Decider = offline.NewDecider(origin, b, b.memory, s, slog.New(slog.NewTextHandler(&b.log, nil)))
}

func (b *bench) holder(card string) (h testpki.Holder, who kiosk.Holder) {
	b.t.Helper()
	pki, err := onePKI()
	if err != nil {
		b.t.Fatal(err)
	}
	h = pki.Holders[card]
	p, err := b.Config().Domains.Path(h.Authentication.Certificate, trust.Authenticate, made)
	if err != nil {
		b.t.Fatal(err)
	}
	return h, p.Holder
}

func (b *bench) judge(card string) kiosk.Verdict {
	b.t.Helper()
	h, _ := b.holder(card)
	token, err := webeid.Sign(h.Authentication.Key, h.Authentication.Certificate.Raw, origin, nonce)
	if err != nil {
		b.t.Fatal(err)
	}
	v := b.Decider.Decide(context.Background(), "visit-1", token, nonce)
	if !v.Offline || v.Granted != (v.Reason == "") || v.Basis.Rules != "rules-7" {
		b.t.Errorf("the verdict is %+v", v)
	}
	return v
}

func (b *bench) expect(card string, want kiosk.Reason) {
	b.t.Helper()
	if v := b.judge(card); v.Reason != want {
		b.t.Errorf("%s: %q, want %q\n%s", card, v.Reason, want, b.log.String())
	}
}

func TestRules(t *testing.T) {
	trusted := hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, CRLMaxAge: hubpolicy.Duration(24 * time.Hour), UntrustedClock: hubpolicy.Deny}
	known := hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 30, UntrustedClock: hubpolicy.Deny}
	careless := trusted
	careless.UntrustedClock = hubpolicy.Allow
	anyCRL := trusted
	anyCRL.CRLMaxAge = 0
	for _, c := range []struct {
		name   string
		rules  hubpolicy.OfflineRules
		change func(*bench)
		card   string
		want   kiosk.Reason
	}{
		{"never", hubpolicy.OfflineRules{Rule: hubpolicy.Never}, nil, "valid", kiosk.OfflineNever},
		{"a rule of a newer hub", hubpolicy.OfflineRules{Rule: "sometimes", UntrustedClock: hubpolicy.Deny}, nil, "valid", kiosk.OfflineNever},
		{"trusted", trusted, nil, "valid", ""},
		{"trusted, revoked", trusted, nil, "revoked", kiosk.Revoked},
		{"trusted, CRL of 24 h", trusted, func(b *bench) { b.at = made.Add(23 * time.Hour) }, "valid", ""},
		{"trusted, older CRL", trusted, func(b *bench) { b.at = made.Add(23*time.Hour + time.Second) }, "valid", kiosk.RevocationUnknown},
		{"trusted, any CRL", anyCRL, func(b *bench) { b.at = made.Add(48 * time.Hour) }, "valid", ""},
		{"rules on their last day", trusted, func(b *bench) { b.Set(until(b, b.at.Add(-trust.DefaultSkew))) }, "valid", ""},
		{"rules run out", trusted, func(b *bench) { b.Set(until(b, b.at.Add(-trust.DefaultSkew-time.Second))) }, "valid", kiosk.OfflineExpired},
		{"never, and run out", hubpolicy.OfflineRules{Rule: hubpolicy.Never}, func(b *bench) { b.Set(until(b, b.at.Add(-trust.DefaultSkew-time.Second))) }, "valid", kiosk.OfflineNever},
		{"clock behind, deny", trusted, func(b *bench) { b.behind = true }, "valid", kiosk.ClockUntrusted},
		{"clock behind, allow", careless, func(b *bench) { b.behind = true }, "valid", ""},
		{"clock behind, nothing said", hubpolicy.OfflineRules{Rule: hubpolicy.Trusted}, func(b *bench) { b.behind = true }, "valid", kiosk.ClockUntrusted},
		{"unknown", known, nil, "valid", kiosk.OfflineUnknown},
		{"known", known, func(b *bench) { b.letIn("valid") }, "valid", ""},
		{"known for 30 days", known, func(b *bench) { b.letIn("valid"); b.at = made.AddDate(0, 0, 30); b.Set(until(b, b.at)) }, "valid", ""},
		{"known, CRL of no use any more", known, func(b *bench) {
			b.letIn("valid")
			b.at = made.AddDate(0, 0, 30).Add(trust.DefaultSkew + time.Second)
			b.Set(until(b, b.at))
		}, "valid", kiosk.RevocationUnknown},
		{"known, by another kiosk", known, func(b *bench) { b.learn("valid", made) }, "valid", ""},
		{"known 30 days ago", known, func(b *bench) { b.learn("valid", made.AddDate(0, 0, -30)) }, "valid", ""},
		{"known 31 days ago", known, func(b *bench) { b.learn("valid", made.AddDate(0, 0, -31)) }, "valid", kiosk.OfflineUnknown},
		{"known, revoked since", known, func(b *bench) { b.letIn("revoked") }, "revoked", kiosk.Revoked},
		{"somebody else is known", known, func(b *bench) { b.letIn("blocked") }, "valid", kiosk.OfflineUnknown},
		{"disk fails", trusted, func(b *bench) { b.disk.err = errors.New("no space left on device") }, "valid", kiosk.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.rules)
			if c.change != nil {
				c.change(b)
			}
			b.expect(c.card, c.want)
		})
	}
}

// A grant of the hub that cannot be remembered is logged, and no other.
func TestGrantNotRemembered(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Known, UntrustedClock: hubpolicy.Deny, KnownDays: 30})
	b.letIn("valid")
	if b.log.Len() > 0 {
		t.Errorf("logged %s", b.log.String())
	}
	b.disk.putErr = errors.New("no space left on device")
	b.letIn("blocked")
	if !strings.Contains(b.log.String(), "cannot remember who was let in") {
		t.Errorf("logged %q", b.log.String())
	}
}

func until(b *bench, at time.Time) offline.Config {
	s := b.Config()
	s.Until = at
	return s
}

func (b *bench) letIn(card string) { _, who := b.holder(card); b.RecordGrant(who) }

func (b *bench) learn(card string, at time.Time) {
	b.t.Helper()
	_, who := b.holder(card)
	if err := b.memory.AddKnown(map[string]int64{string(pseudonym(who)): hubpolicy.Day(at)}); err != nil {
		b.t.Fatal(err)
	}
}

// The verdict contains what the hub needs to check it again.
func TestBasis(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, UntrustedClock: hubpolicy.Deny})
	_, who := b.holder("valid")
	if v := b.judge("valid"); v.Basis != (kiosk.Basis{Rules: "rules-7", Time: made, CRL: "1"}) || v.Holder != who {
		t.Errorf("the verdict is %+v", v)
	}
}

// The limits hold across restarts, until the hub has been reached.
func TestLimits(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 2, PerKiosk: 3, UntrustedClock: hubpolicy.Deny})
	b.expect("valid", "")
	b.expect("revoked", kiosk.Revoked) // a denial does not count towards the limits
	b.expect("valid", "")
	b.restart(b.Config())
	b.expect("valid", kiosk.OfflineLimit)
	b.expect("blocked", "")
	b.expect("blocked", kiosk.OfflineLimit) // the kiosk's limit
	if err := b.memory.ResetGrants(); err != nil {
		t.Fatal(err)
	}
	b.expect("valid", "")
	b.restart(b.Config())
	if err := b.memory.ResetGrants(); err != nil {
		t.Fatal(err)
	}
	b.expect("valid", "")
	b.expect("valid", "") // the holder has both grants again: ResetGrants also found counters from before the restart
	b.expect("valid", kiosk.OfflineLimit)
	if err := b.memory.ResetGrants(); err != nil {
		t.Fatal(err)
	}
	writes := b.disk.writes
	if err := b.memory.ResetGrants(); err != nil || b.disk.writes != writes {
		t.Errorf("%d writes although nothing was counted, %v", b.disk.writes-writes, err)
	}
}

// A second visit on the same day writes nothing. The kiosk forgets holders after
// KnownDays.
func TestKnownIsForgotten(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 30, UntrustedClock: hubpolicy.Deny})
	b.letIn("valid")
	writes := b.disk.writes
	b.letIn("valid")
	b.learn("valid", made.AddDate(0, 0, -3)) // older than the stored day
	if b.disk.writes != writes {
		t.Error("what is known is written again")
	}
	if err := b.memory.KeepKnown(hubpolicy.Day(made), hubpolicy.Day(made)); err != nil {
		t.Fatal(err)
	}
	b.expect("valid", "")
	if err := b.memory.KeepKnown(hubpolicy.Day(made)+1, hubpolicy.Day(made)+9); err != nil {
		t.Fatal(err)
	}
	b.expect("valid", kiosk.OfflineUnknown)
}

// The kiosk remembers holders only if a rule requires it. It never stores a name or
// number, and a second device computes a different hash.
func TestRemembersNobodyByName(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 5, UntrustedClock: hubpolicy.Deny})
	b.letIn("valid")
	for key := range b.disk.values {
		if strings.HasPrefix(key, "known/") {
			t.Errorf("%s is remembered", key)
		}
	}
	s := b.Config()
	s.Rules = hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 1, UntrustedClock: hubpolicy.Deny}
	b.Set(s)
	b.letIn("valid")
	b.expect("valid", "")
	_, who := b.holder("valid")
	name := pseudonym(who)
	for key, value := range b.disk.values {
		for _, personal := range []string{who.ID, who.Name, string(name)} {
			if strings.Contains(key+string(value), personal) {
				t.Errorf("%q is in record %q", personal, key)
			}
		}
	}
	if strings.Contains(b.log.String(), who.ID) || strings.Contains(b.log.String(), who.Name) {
		t.Errorf("a holder is in the log: %s", b.log.String())
	}
	witness, err := offline.OpenWitness(b.witness)
	if err != nil {
		t.Fatal(err)
	}
	other, err := offline.OpenMemory(b.disk, []byte(strings.Repeat("x", 32)), witness)
	if err != nil {
		t.Fatal(err)
	}
	if day, err := other.Known(name); day != 0 || err != nil {
		t.Errorf("another device knows the holder: %d, %v", day, err)
	}
}

func TestChoose(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Never})
	h, who := b.holder("valid")
	certs := [][]byte{h.Signature.Certificate.Raw, h.Authentication.Certificate.Raw}
	if c, err := b.Choose(certs); err != nil || c.Index != 1 || c.Holder != who {
		t.Errorf("chose %+v, %v", c, err)
	}
	b.at = made.AddDate(10, 0, 0)
	var refusal *trust.Refusal
	if _, err := b.Choose(certs); !errors.As(err, &refusal) || refusal.Reason != kiosk.Expired {
		t.Errorf("in ten years: %v", err)
	}
}

// The hub's deny rules apply to the kiosk's own verdicts, whatever its offline rule lets
// in, by holder, trust domain and hour.
func TestDenyRulesApplyOffline(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, UntrustedClock: hubpolicy.Deny})
	_, who := b.holder("valid")
	subject := func(id string) []string { return []string{keys.Denied(hubpolicy.HashHolder(keys.Salt, id))} }
	now := made.Hour()*60 + made.Minute()
	for name, tt := range map[string]struct {
		rule hubpolicy.DenyRule
		want kiosk.Reason
	}{
		"the holder":          {hubpolicy.DenyRule{Subjects: subject(who.ID)}, kiosk.RuleDenied},
		"another holder":      {hubpolicy.DenyRule{Subjects: subject("UN:NO-9578-4050-1")}, ""},
		"everybody":           {hubpolicy.DenyRule{}, kiosk.RuleDenied},
		"the trust domain":    {hubpolicy.DenyRule{Domains: []string{who.Domain}}, kiosk.RuleDenied},
		"another domain":      {hubpolicy.DenyRule{Domains: []string{"local"}}, ""},
		"this hour":           {hubpolicy.DenyRule{Calendar: hubpolicy.Calendar{Zone: "UTC", Hours: []hubpolicy.Span{{From: now, To: now + 1}}}}, kiosk.RuleDenied},
		"another hour":        {hubpolicy.DenyRule{Calendar: hubpolicy.Calendar{Zone: "UTC", Hours: []hubpolicy.Span{{From: now + 1, To: now + 2}}}}, ""},
		"from now on":         {hubpolicy.DenyRule{Calendar: hubpolicy.Calendar{From: made}}, kiosk.RuleDenied},
		"until now":           {hubpolicy.DenyRule{Calendar: hubpolicy.Calendar{Until: made}}, ""},
		"an unknown timezone": {hubpolicy.DenyRule{Calendar: hubpolicy.Calendar{Zone: "Mars/Olympus", Hours: []hubpolicy.Span{{From: now + 1, To: now + 2}}}}, kiosk.RuleDenied},
	} {
		c := b.Config()
		_ = tt.rule.Prepare()
		c.Deny = []hubpolicy.DenyRule{tt.rule}
		b.Set(c)
		if v := b.judge("valid"); v.Reason != tt.want {
			t.Errorf("%s: %q, want %q", name, v.Reason, tt.want)
		}
	}
}

// Counters that are lost, older than they were, or cannot be written count as used up
// until the hub is reached.
func TestLostCounters(t *testing.T) {
	rules := hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 5, PerKiosk: 9, UntrustedClock: hubpolicy.Deny}
	for name, tt := range map[string]struct {
		change func(t *testing.T, b *bench)
		want   kiosk.Reason
	}{
		"nothing":         {func(*testing.T, *bench) {}, ""},
		"records deleted": {func(_ *testing.T, b *bench) { clear(b.disk.values) }, kiosk.OfflineLimit},
		"older copy put back": {func(_ *testing.T, b *bench) {
			old := maps.Clone(b.disk.values)
			b.expect("valid", "")
			b.disk.values = old
		}, kiosk.OfflineLimit},
		"witness deleted": {func(t *testing.T, b *bench) {
			if err := os.Remove(b.witness); err != nil {
				t.Fatal(err)
			}
		}, kiosk.OfflineLimit},
		"witness overwritten": {func(t *testing.T, b *bench) {
			if err := os.WriteFile(b.witness, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, kiosk.OfflineLimit},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, rules)
			b.expect("valid", "")
			tt.change(t, b)
			b.restart(b.Config())
			if lost := b.memory.Lost(); lost != (tt.want != "") {
				t.Errorf("lost: %v", lost)
			}
			b.expect("valid", tt.want)
			b.restart(b.Config())
			b.expect("valid", tt.want)
			if err := b.witnessed.Follow(made); err != nil {
				t.Fatal(err)
			}
			if err := b.memory.ResetGrants(); err != nil {
				t.Fatal(err)
			}
			b.expect("valid", "")
			b.restart(b.Config())
			b.expect("valid", "")
		})
	}
	t.Run("read-only", func(t *testing.T) {
		b := newBench(t, rules)
		b.witness = filepath.Join(t.TempDir(), "missing", "witness.json")
		b.restart(b.Config())
		b.expect("valid", kiosk.Internal)
	})
	t.Run("disk fails", func(t *testing.T) {
		b := newBench(t, rules)
		b.expect("valid", "")
		b.disk.putErr = errors.New("no space left on device")
		b.expect("valid", kiosk.Internal)
		b.disk.putErr = nil
		b.expect("valid", kiosk.OfflineLimit)
	})
}
