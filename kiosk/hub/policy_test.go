package hub

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
)

// policy fetches a kiosk's policy and verifies it with the key in the kiosk's bundle.
func (b *bed) policy(p *party) hubpolicy.Policy {
	b.t.Helper()
	o, _ := b.versionedPolicy(p)
	return o
}

func (b *bed) versionedPolicy(p *party) (hubpolicy.Policy, string) {
	b.t.Helper()
	jws, err := p.Policy(b.t.Context(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	key := readJWK(b.t, filepath.Join(b.dir, kiosksDir, p.id, bundleSignFile))
	if !key.IsPublic() {
		b.t.Fatal("the bundle has the hub's private key")
	}
	o, version, err := hubpolicy.Verify(jws, p.id, key.Key)
	if err != nil {
		b.t.Fatal(err)
	}
	return o, version
}

func TestPolicy(t *testing.T) {
	b := newBed(t)
	b.ahead = time.Until(time.Now().Truncate(18 * time.Hour).Add(18 * time.Hour)) // the beginning of a quarter of valid_for
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	o, version := b.versionedPolicy(k1)
	if o.Offline.Rule != hubpolicy.Trusted || len(o.Domains) != 1 || len(o.CRLs) != 1 || len(o.Holders.Key) != 32 || time.Duration(o.AskEvery) != 15*time.Minute {
		t.Errorf("the policy is %+v", o)
	}
	if left := o.ValidUntil.Sub(b.now()); left < 72*time.Hour || left > 90*time.Hour {
		t.Errorf("the policy is valid for %s", left)
	}
	if o.Seal.KeyID != b.publicSeal().KeyID || !o.Seal.IsPublic() {
		t.Error("the policy names another sealing key")
	}

	// The CRL set is that of the trust domain, and it can be used.
	body, err := k1.CRLSet(t.Context(), o.CRLs[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	set, err := io.ReadAll(body)
	if err != nil || int64(len(set)) != o.CRLs[0].Size {
		t.Fatalf("%d bytes of %d, %v", len(set), o.CRLs[0].Size, err)
	}
	crl, err := trust.ReadCRLSet(bytes.NewReader(set))
	if err != nil || crl.Len() == 0 {
		t.Fatalf("cannot use the CRL set: %v", err)
	}
	if _, err := trust.FromDocuments(o.Domains, map[string][]*trust.CRL{o.CRLs[0].Domain: {crl}}); err != nil {
		t.Error(err)
	}

	// The policy stays the same, on another hub too, for a quarter of valid_for.
	if jws, err := k1.to(b.serve()).Policy(t.Context(), version); jws != "" || err != nil {
		t.Errorf("another hub has another policy: %v", err)
	}
	b.advance(17 * time.Hour)
	if jws, err := k1.Policy(t.Context(), version); jws != "" || err != nil {
		t.Errorf("after 17 h the policy has changed: %v", err)
	}
	b.advance(time.Hour)
	later, newer := b.versionedPolicy(k1)
	if newer == version || !later.ValidUntil.After(o.ValidUntil) || !later.IssuedAt.After(o.IssuedAt) {
		t.Error("after a quarter of valid_for there is no new policy")
	}
	if b.policy(k2).Kiosk != "k2" {
		t.Error("a kiosk got the policy of another one")
	}
	if _, err := k1.CRLSet(t.Context(), strings.Repeat("0", 64)); err == nil {
		t.Error("a CRL set that does not exist gives no error")
	}
}

// The JSON of a policy holds no secret of the hub.
func TestPolicyHoldsNoSecret(t *testing.T) {
	b := newBed(t)
	h := b.open()
	o, err := h.policyFor(t.Context(), "k1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(`"d":`)) {
		t.Errorf("the policy contains a private key: %s", text)
	}
}

func TestOfflineConfig(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[offline]\nrule = \"always\"", `rule is "always"`},
		{"[offline]\nrule = \"trusted\"\nvalid_for = \"20m\"", "valid_for at least twice"},
		{"[offline]\nrule = \"trusted\"\nask_every = \"0s\"", "ask_every must be"},
		{"[offline]\nrules = \"trusted\"", "unknown key"},
		{"[crls]\nevery = \"1s\"", "must be at least 1m"},
	} {
		if _, err := parseSettings([]byte("listen = \"127.0.0.1:1\"\nurl = \"https://127.0.0.1:1\"\n" + c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
	s, err := parseSettings([]byte("listen = \"127.0.0.1:1\"\nurl = \"https://127.0.0.1:1\"\n"))
	if err != nil || s.Offline.Rule != hubpolicy.Never {
		t.Errorf("without settings the offline rule is %q, %v", s.Offline.Rule, err)
	}
}

// The policy of a kiosk has the services that the rules give its group.
func TestServicesInPolicy(t *testing.T) {
	b := newBed(t)
	rules := filepath.Join(b.dir, rulesFile)
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rules, append(text, "\n[[services]]\nkiosks = [\"k1\"]\nchange_pin = true\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	url := b.serve()
	if o := b.policy(b.kiosk(url, "k1")); !o.Services.ChangePIN {
		t.Errorf("k1 offers %+v", o.Services)
	}
	if o := b.policy(b.kiosk(url, "k2")); o.Services.ChangePIN {
		t.Errorf("k2 offers %+v", o.Services)
	}
}
