package hubpolicy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
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

// good returns a valid policy.
func good(seal *ecdsa.PrivateKey) hubpolicy.Policy {
	return hubpolicy.Policy{
		Kiosk: "k1", IssuedAt: noon, ValidUntil: noon.AddDate(0, 0, 3), AskEvery: hubpolicy.Duration(15 * time.Minute),
		Offline: hubpolicy.OfflineRules{Rule: hubpolicy.Never, UntrustedClock: hubpolicy.Deny},
		Seal:    sealkey.Key{JSONWebKey: jose.JSONWebKey{Key: &seal.PublicKey}}, CRLs: []hubpolicy.CRL{},
		Holders: hubpolicy.HolderKeys{Salt: make([]byte, 16), Key: make([]byte, 16)},
	}
}

func TestSignVerify(t *testing.T) {
	key := newKey(t)
	o := good(newKey(t))
	jws, version, err := hubpolicy.Sign(o, jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	got, ver, err := hubpolicy.Verify(jws+"\n", "k1", &key.PublicKey)
	if err != nil || ver != version || got.Kiosk != "k1" || !got.ValidUntil.Equal(o.ValidUntil) {
		t.Errorf("verified %+v, %s, %v", got, ver, err)
	}
	if same, err := o.Version(); same != version || err != nil {
		t.Errorf("the version is %s before and %s after, %v", same, version, err)
	}
	o.Offline.PerKiosk = 1
	if other, _ := o.Version(); other == version {
		t.Error("another policy has the same version")
	}
}

// Every bad policy is refused with its reason.
func TestVerifyRefuses(t *testing.T) {
	key, seal := newKey(t), newKey(t)
	sign := func(typ string, by *ecdsa.PrivateKey, kid string, text []byte) string {
		id, err := event.KeyID(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if kid == "" {
			kid = id
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: by, KeyID: kid}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	const typ = "smartkiosk-policy+jws"
	text := func(change func(*hubpolicy.Policy)) []byte {
		o := good(seal)
		change(&o)
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	changed := func(change func(*hubpolicy.Policy)) string { return sign(typ, key, "", text(change)) }
	sound := changed(func(*hubpolicy.Policy) {})
	parts := strings.Split(sound, ".")
	digest := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		jws  string
		want error
	}{
		"empty":                   {"", hubpolicy.ErrMalformed},
		"cut":                     {sound[:len(sound)-2], hubpolicy.ErrSignature},
		"too long":                {sound + strings.Repeat(" ", hubpolicy.MaxSize), hubpolicy.ErrMalformed},
		"no algorithm":            {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", hubpolicy.ErrMalformed},
		"altered":                 {parts[0] + "." + base64.RawURLEncoding.EncodeToString(text(func(o *hubpolicy.Policy) { o.Offline.Rule = hubpolicy.Trusted })) + "." + parts[2], hubpolicy.ErrSignature},
		"another's key":           {sign(typ, newKey(t), "other", text(func(*hubpolicy.Policy) {})), hubpolicy.ErrSignature},
		"another's key, our name": {sign(typ, newKey(t), "", text(func(*hubpolicy.Policy) {})), hubpolicy.ErrSignature},
		"signed as an event":      {sign("smartkiosk-event+jws", key, "", text(func(*hubpolicy.Policy) {})), hubpolicy.ErrSignature},
		"no JSON":                 {sign(typ, key, "", []byte("x")), hubpolicy.ErrMalformed},
		"another kiosk's":         {changed(func(o *hubpolicy.Policy) { o.Kiosk = "k2" }), hubpolicy.ErrForeign},
		"of no time":              {changed(func(o *hubpolicy.Policy) { o.IssuedAt = time.Time{} }), hubpolicy.ErrMalformed},
		"ended before it began":   {changed(func(o *hubpolicy.Policy) { o.ValidUntil = o.IssuedAt }), hubpolicy.ErrMalformed},
		"never to ask again":      {changed(func(o *hubpolicy.Policy) { o.AskEvery = 0 }), hubpolicy.ErrMalformed},
		"to ask in the past":      {changed(func(o *hubpolicy.Policy) { o.AskEvery = hubpolicy.Duration(-time.Minute) }), hubpolicy.ErrMalformed},
		"rule unknown":            {changed(func(o *hubpolicy.Policy) { o.Offline.Rule = "always" }), hubpolicy.ErrMalformed},
		"no salt of holders":      {changed(func(o *hubpolicy.Policy) { o.Holders.Salt = nil }), hubpolicy.ErrMalformed},
		"short key of holders":    {changed(func(o *hubpolicy.Policy) { o.Holders.Key = make([]byte, 15) }), hubpolicy.ErrMalformed},
		"no sealing key":          {sign(typ, key, "", []byte(strings.Replace(string(text(func(*hubpolicy.Policy) {})), `"seal":{`, `"sael":{`, 1))), hubpolicy.ErrMalformed},
		"one choice": {changed(func(o *hubpolicy.Policy) {
			o.Services.Choices = []kiosk.Choice{{Code: "a", Texts: map[string]string{"nb": "A"}}}
		}), hubpolicy.ErrMalformed},
		"digest too short":   {changed(func(o *hubpolicy.Policy) { o.CRLs = []hubpolicy.CRL{{Digest: "00", Size: 1}} }), hubpolicy.ErrMalformed},
		"digest as a path":   {changed(func(o *hubpolicy.Policy) { o.CRLs = []hubpolicy.CRL{{Digest: "../" + digest[3:], Size: 1}} }), hubpolicy.ErrMalformed},
		"digest in capitals": {changed(func(o *hubpolicy.Policy) { o.CRLs = []hubpolicy.CRL{{Digest: "A" + digest[1:], Size: 1}} }), hubpolicy.ErrMalformed},
		"CRL of no size":     {changed(func(o *hubpolicy.Policy) { o.CRLs = []hubpolicy.CRL{{Digest: digest}} }), hubpolicy.ErrMalformed},
		"CRL too large":      {changed(func(o *hubpolicy.Policy) { o.CRLs = []hubpolicy.CRL{{Digest: digest, Size: hubpolicy.MaxCRLSet + 1}} }), hubpolicy.ErrMalformed},
	} {
		if _, _, err := hubpolicy.Verify(c.jws, "k1", &key.PublicKey); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	jws, _, err := hubpolicy.Sign(good(newKey(f)), jose.JSONWebKey{Key: key})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(jws)
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, err := hubpolicy.Verify(s, "k1", &key.PublicKey); err == nil && strings.TrimSpace(s) != jws {
			// Every other text that is accepted has the same three parts in another
			// spelling.
			if strings.Count(s, ".") != 2 {
				t.Errorf("took %q", s)
			}
		}
	})
}

// A policy that cannot be encoded, or a key that cannot sign it, gives no policy.
func TestSignRefuses(t *testing.T) {
	seal, other := newKey(t), newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unsealed := good(seal)
	unsealed.Seal = sealkey.Key{}
	for name, tt := range map[string]struct {
		policy hubpolicy.Policy
		key    any
	}{"no sealing key": {unsealed, other}, "a key on P-384": {good(seal), p384}, "a public key": {good(seal), &other.PublicKey}, "no key": {good(seal), nil}} {
		if jws, version, err := hubpolicy.Sign(tt.policy, jose.JSONWebKey{Key: tt.key}); err == nil || jws != "" || version != "" {
			t.Errorf("%s: %q, %q, %v", name, jws, version, err)
		}
	}
	if version, err := unsealed.Version(); err == nil || version != "" {
		t.Errorf("the version without a sealing key: %q, %v", version, err)
	}
	jws, _, err := hubpolicy.Sign(good(seal), jose.JSONWebKey{Key: other})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := hubpolicy.Verify(jws, "k1", &p384.PublicKey); err == nil {
		t.Error("verified with a key on P-384")
	}
}

func TestBadRules(t *testing.T) {
	good := hubpolicy.OfflineRules{Rule: hubpolicy.Never, UntrustedClock: hubpolicy.Deny}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		rules hubpolicy.OfflineRules
		want  string
	}{
		{hubpolicy.OfflineRules{UntrustedClock: hubpolicy.Deny}, `rule is ""`},
		{hubpolicy.OfflineRules{Rule: "always", UntrustedClock: hubpolicy.Deny}, `rule is "always"`},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Known, UntrustedClock: hubpolicy.Deny}, "known_days is 0"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, KnownDays: 3, UntrustedClock: hubpolicy.Deny}, "known_days is for"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 3, CRLMaxAge: 1, UntrustedClock: hubpolicy.Deny}, "crl_max_age is for"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, CRLMaxAge: -1, UntrustedClock: hubpolicy.Deny}, "not negative"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerHolder: -1, UntrustedClock: hubpolicy.Deny}, "not negative"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted, PerKiosk: -1, UntrustedClock: hubpolicy.Deny}, "not negative"},
		{hubpolicy.OfflineRules{Rule: hubpolicy.Trusted}, `untrusted_clock is ""`},
	} {
		if err := c.rules.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.rules, err, c.want)
		}
	}
}
