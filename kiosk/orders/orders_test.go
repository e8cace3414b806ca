package orders_test

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

	"smartkiosk/kiosk/event"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/orders"
	"smartkiosk/kiosk/sealkey"
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

// good are orders that are in order.
func good(seal *ecdsa.PrivateKey) orders.Orders {
	return orders.Orders{
		Kiosk: "k1", IssuedAt: noon, ValidUntil: noon.AddDate(0, 0, 3), AskEvery: offline.Duration(15 * time.Minute),
		Offline: offline.Rules{Rule: offline.Never, UntrustedClock: offline.Deny},
		Seal:    sealkey.Key{JSONWebKey: jose.JSONWebKey{Key: &seal.PublicKey}}, CRLs: []orders.CRL{},
	}
}

func TestSignVerify(t *testing.T) {
	key := newKey(t)
	o := good(newKey(t))
	jws, version, err := orders.Sign(o, jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	got, ver, err := orders.Verify(jws+"\n", "k1", &key.PublicKey)
	if err != nil || ver != version || got.Kiosk != "k1" || !got.ValidUntil.Equal(o.ValidUntil) {
		t.Errorf("verified %+v, %s, %v", got, ver, err)
	}
	if same, err := o.Version(); same != version || err != nil {
		t.Errorf("the version is %s before and %s after, %v", same, version, err)
	}
	o.Offline.PerKiosk = 1
	if other, _ := o.Version(); other == version {
		t.Error("other orders have the same version")
	}
}

// Every bad piece of orders has its reason.
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
	const typ = "smartkiosk-orders+jws"
	text := func(change func(*orders.Orders)) []byte {
		o := good(seal)
		change(&o)
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	changed := func(change func(*orders.Orders)) string { return sign(typ, key, "", text(change)) }
	sound := changed(func(*orders.Orders) {})
	parts := strings.Split(sound, ".")
	digest := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		jws  string
		want error
	}{
		"empty":                   {"", orders.ErrMalformed},
		"cut":                     {sound[:len(sound)-2], orders.ErrSignature},
		"too long":                {sound + strings.Repeat(" ", orders.MaxSize), orders.ErrMalformed},
		"no algorithm":            {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", orders.ErrMalformed},
		"altered":                 {parts[0] + "." + base64.RawURLEncoding.EncodeToString(text(func(o *orders.Orders) { o.Offline.Rule = offline.Trusted })) + "." + parts[2], orders.ErrSignature},
		"another's key":           {sign(typ, newKey(t), "other", text(func(*orders.Orders) {})), orders.ErrSignature},
		"another's key, our name": {sign(typ, newKey(t), "", text(func(*orders.Orders) {})), orders.ErrSignature},
		"signed as an event":      {sign("smartkiosk-event+jws", key, "", text(func(*orders.Orders) {})), orders.ErrSignature},
		"no JSON":                 {sign(typ, key, "", []byte("x")), orders.ErrMalformed},
		"another kiosk's":         {changed(func(o *orders.Orders) { o.Kiosk = "k2" }), orders.ErrForeign},
		"of no time":              {changed(func(o *orders.Orders) { o.IssuedAt = time.Time{} }), orders.ErrMalformed},
		"ended before it began":   {changed(func(o *orders.Orders) { o.ValidUntil = o.IssuedAt }), orders.ErrMalformed},
		"never to ask again":      {changed(func(o *orders.Orders) { o.AskEvery = 0 }), orders.ErrMalformed},
		"rule unknown":            {changed(func(o *orders.Orders) { o.Offline.Rule = "always" }), orders.ErrMalformed},
		"no sealing key":          {sign(typ, key, "", []byte(strings.Replace(string(text(func(*orders.Orders) {})), `"seal":{`, `"sael":{`, 1))), orders.ErrMalformed},
		"digest too short":        {changed(func(o *orders.Orders) { o.CRLs = []orders.CRL{{Digest: "00", Size: 1}} }), orders.ErrMalformed},
		"digest as a path":        {changed(func(o *orders.Orders) { o.CRLs = []orders.CRL{{Digest: "../" + digest[3:], Size: 1}} }), orders.ErrMalformed},
		"digest in capitals":      {changed(func(o *orders.Orders) { o.CRLs = []orders.CRL{{Digest: "A" + digest[1:], Size: 1}} }), orders.ErrMalformed},
		"CRL of no size":          {changed(func(o *orders.Orders) { o.CRLs = []orders.CRL{{Digest: digest}} }), orders.ErrMalformed},
		"CRL too large":           {changed(func(o *orders.Orders) { o.CRLs = []orders.CRL{{Digest: digest, Size: orders.MaxCRLSet + 1}} }), orders.ErrMalformed},
	} {
		if _, _, err := orders.Verify(c.jws, "k1", &key.PublicKey); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	jws, _, err := orders.Sign(good(newKey(f)), jose.JSONWebKey{Key: key})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(jws)
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, err := orders.Verify(s, "k1", &key.PublicKey); err == nil && strings.TrimSpace(s) != jws {
			// The same three parts in another spelling are the only other way in.
			if strings.Count(s, ".") != 2 {
				t.Errorf("took %q", s)
			}
		}
	})
}
