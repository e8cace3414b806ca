package offline_test

import (
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// counters returns how many holders have a counter of offline grants on the disk.
func (b *bench) counters() (n int) {
	for key := range b.disk.values {
		if strings.HasPrefix(key, "offline-grants/") && key != "offline-grants/kiosk" && key != "offline-grants/changes" {
			n++
		}
	}
	return n
}

// The limit of one holder is that of a day, and nothing about a holder is stored for
// longer. The limit of all holders lasts until the hub is reached.
func TestCountersForgetHolders(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 2, PerKiosk: 5, UntrustedClock: hubpolicy.Deny})
	b.expect("valid", "")
	b.expect("blocked", "")
	b.expect("valid", "")
	b.expect("valid", kiosk.OfflineLimit)
	if err := b.memory.DropGrantsBefore(hubpolicy.Day(b.at)); err != nil || b.counters() != 2 {
		t.Errorf("on the same day %d counters are left, %v", b.counters(), err)
	}
	b.at = b.at.AddDate(0, 0, 1)
	b.expect("valid", "")
	if err := b.memory.DropGrantsBefore(hubpolicy.Day(b.at)); err != nil || b.counters() != 1 {
		t.Errorf("on the next day %d counters are left, %v", b.counters(), err)
	}
	b.restart(b.Config()) // deleted counters are not lost counters
	b.expect("valid", "")
	b.expect("blocked", kiosk.OfflineLimit) // the kiosk's limit counts both days
}

// Without a limit for holders the kiosk stores nothing about them.
func TestCountsNoHolderWithoutLimit(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerKiosk: 2, UntrustedClock: hubpolicy.Deny})
	b.expect("valid", "")
	b.expect("valid", "")
	b.expect("valid", kiosk.OfflineLimit)
	if b.counters() != 0 {
		t.Errorf("%d counters of holders", b.counters())
	}
}

// Under another key, for example after the TPM was replaced, the entries of holders are
// deleted, and the counters count as used up until the hub is reached.
func TestAnotherKey(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 2, PerKiosk: 9, UntrustedClock: hubpolicy.Deny})
	b.learn("blocked", made)
	b.expect("valid", "")
	witness, err := offline.OpenWitness(b.witness)
	if err != nil {
		t.Fatal(err)
	}
	b.disk.values["device/holder-hash-key"] = []byte("of a former version")
	if b.memory, err = offline.OpenMemory(b.disk, []byte(strings.Repeat("x", 32)), witness); err != nil {
		t.Fatal(err)
	}
	if !b.memory.Lost() {
		t.Error("the counters are not lost")
	}
	for key := range b.disk.values {
		if strings.HasPrefix(key, "known/") || key == "device/holder-hash-key" {
			t.Errorf("%s is left", key)
		}
	}
	if b.counters() != 0 {
		t.Errorf("%d counters of holders are left", b.counters())
	}
}

// Prepare computes the hash, so that Decide finds it.
func TestPrepare(t *testing.T) {
	b := newBench(t, hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: 9, UntrustedClock: hubpolicy.Deny})
	_, who := b.holder("valid")
	b.Prepare(who)
	if n := b.Hashed(); n != 1 {
		t.Errorf("%d hashes after Prepare", n)
	}
	b.expect("valid", "")
	b.expect("valid", "")
	if n := b.Hashed(); n != 1 {
		t.Errorf("%d hashes after visits of the same holder", n)
	}
	b.at = b.at.Add(24 * time.Hour)
	b.expect("blocked", "")
	if n := b.Hashed(); n != 1 {
		t.Errorf("%d hashes on the next day, want only the new holder's", n)
	}
	// Rules that do not depend on the holder need no hash.
	s := b.Config()
	s.Rules.PerHolder = 0
	b.Set(s)
	_, other := b.holder("revoked")
	b.Prepare(other)
	if n := b.Hashed(); n != 1 {
		t.Errorf("%d hashes although no rule depends on the holder", n)
	}
}
