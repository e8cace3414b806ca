package hub

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// A kiosk ends its own certificates and gets a signed receipt. Then it is refused, also with
// its key under a new code, until the name is added again with another key. Its earlier
// events stay.
func TestRetire(t *testing.T) {
	b := newBed(t)
	url, h := b.serveLimited(io.Discard)
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	k1.send(k1.events(2), 2)
	jws, err := k1.Retire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key := h.config.Sign.Public()
	receipt, err := hubpolicy.VerifyRetirement(jws, "k1", key.Key)
	if err != nil || !slices.Equal(receipt.Certificates, []string{fingerprint(k1.tls.Certificates[0].Certificate[0])}) || receipt.Time.IsZero() {
		t.Errorf("the receipt is %+v, %v", receipt, err)
	}
	for _, c := range []struct {
		jws, kiosk string
		want       error
	}{
		{jws, "k2", hubpolicy.ErrForeign},
		{jws[:len(jws)-4] + "AAAA", "k1", hubpolicy.ErrSignature},
		{"x", "k1", hubpolicy.ErrMalformed},
	} {
		if _, err := hubpolicy.VerifyRetirement(c.jws, c.kiosk, key.Key); !errors.Is(err, c.want) {
			t.Errorf("receipt of %s: %v, want %v", c.kiosk, err, c.want)
		}
	}
	policy, err := k2.Policy(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hubpolicy.VerifyRetirement(policy, "k2", key.Key); !errors.Is(err, hubpolicy.ErrSignature) {
		t.Errorf("a policy is taken for a receipt: %v", err)
	}
	eventually(t, func() error {
		if _, err := k1.Policy(t.Context(), ""); err == nil {
			return errors.New("a retired kiosk still gets its policy")
		}
		return nil
	})
	e, _, err := b.registry().get(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"})
	if err != nil || e.Removed.IsZero() || !e.Certificates[0].Barred {
		t.Errorf("the registry has %+v, %v", e, err)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, kiosksDir, "k1")); err != nil {
		t.Fatal(err)
	}
	again := b.kiosk(url, "k1") // the name, with a new key
	again.sequence, again.link = k1.sequence, k1.link
	again.send(again.events(1), 3)
}
