package hubpolicy

import (
	"encoding/hex"
	"testing"
)

// TestHolderHash has the values of one holder in the trust domain "buypass". They are part
// of the protocol: a hub and its kiosks must compute the same ones.
func TestHolderHash(t *testing.T) {
	keys := HolderKeys{Salt: []byte("salt of this hub"), Key: []byte("key of one kiosk")}
	h := HashHolder(keys.Salt, "UN:NO-9578-4050-900000001")
	if got := hex.EncodeToString(h[:]); got != "a5bab4d6f4c05f02478c1f417b27370ace6daff46bcf84ddbeb5f6210d99c504" {
		t.Errorf("the hash is %s", got)
	}
	if got := hex.EncodeToString(keys.Pseudonym(h.In("buypass"))); got != "6ddcb205fd282c46e4ac3f3f1cb775ca61b9580ae15741e7134d54fb61f1c8f9" {
		t.Errorf("the pseudonym is %s", got)
	}
	if got := keys.Denied(h); got != "59f43d72331a9e875e2d2eed5e819ab6" {
		t.Errorf("in a deny rule it is %s", got)
	}
}

// TestHolderHashCost checks that no change makes the hash cheaper: a search of all Buypass
// numbers must take more than a year on one core.
func TestHolderHashCost(t *testing.T) {
	if hashMemory < 64<<10 || hashPasses < 2 {
		t.Errorf("a hash needs only %d KiB and %d passes", hashMemory, hashPasses)
	}
}

func BenchmarkHolderHash(b *testing.B) {
	for b.Loop() {
		HashHolder([]byte("salt of this hub"), "UN:NO-9578-4050-900000001")
	}
}
