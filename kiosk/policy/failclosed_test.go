package policy_test

import (
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
)

// A policy that cannot be read is an error of Open, and not the same as no policy.
func TestOpenWithoutDisk(t *testing.T) {
	b := newBench(t)
	b.start()
	b.disk.unreadable = errors.New("input/output error")
	if err := b.syncer.Open(); !errors.Is(err, b.disk.unreadable) {
		t.Errorf("opened with %v", err)
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
