package event

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	josecipher "github.com/go-jose/go-jose/v4/cipher"
)

// sealedJWE returns the JWE and the JWS of an event that go-jose sealed and signed.
func sealedJWE(t testing.TB) (jwe, jws string) {
	t.Helper()
	sealed, _, err := sealer(t).Seal(testHeader(t, 1, nil), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	o, err := readObject(sealed)
	if err != nil || o.read("data", &jwe) != nil {
		t.Fatal(err)
	}
	opened, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return jwe, opened.JWS
}

// judge compares this package with go-jose: both read the same text.
type judge struct {
	hub    jose.JSONWebKey
	opener *Opener
	device crypto.PublicKey
}

func newJudge(t testing.TB) judge {
	return judge{jwk(t, "hub"), NewOpener(jwk(t, "hub")), &deviceKey(t).PublicKey}
}

// unseal fails if this package accepts a JWE that go-jose refuses, or decrypts it to
// something else. If both is true, it also fails if this package refuses a JWE that go-jose
// accepts.
func (j judge) unseal(t *testing.T, jwe string, both bool) {
	t.Helper()
	got, err := j.opener.unseal([]byte(jwe))
	if err != nil && !both {
		return
	}
	var want []byte
	parsed, joseErr := jose.ParseEncryptedCompact(jwe, []jose.KeyAlgorithm{keyAlgorithm}, []jose.ContentEncryption{encryption})
	if joseErr == nil {
		want, joseErr = parsed.Decrypt(j.hub.Key)
	}
	j.agree(t, jwe, got, want, err, joseErr)
}

// verify does the same with a JWS.
func (j judge) verify(t *testing.T, jws string, both bool) {
	t.Helper()
	got, err := verify([]byte(jws), []crypto.PublicKey{j.device})
	if err != nil && !both {
		return
	}
	var want []byte
	parsed, joseErr := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{signAlgorithm})
	if joseErr == nil {
		want, joseErr = parsed.Verify(j.device)
	}
	j.agree(t, jws, got, want, err, joseErr)
}

func (j judge) agree(t *testing.T, text string, got, want []byte, err, joseErr error) {
	t.Helper()
	if err == nil && (joseErr != nil || string(got) != string(want)) || err != nil && joseErr == nil {
		t.Errorf("of %.60s… ours makes %.60q, %v, go-jose %.60q, %v", text, got, err, want, joseErr)
	}
}

// TestAgreesWithGoJose has go-jose seal events, and changes every letter of them.
func TestAgreesWithGoJose(t *testing.T) {
	j := newJudge(t)
	for range 20 { // each has another ephemeral key, and another secret
		jwe, jws := sealedJWE(t)
		j.unseal(t, jwe, true)
		j.verify(t, jws, true)
	}
	jwe, jws := sealedJWE(t)
	for i := range jwe {
		letter := []string{"A", "_", ".", "\n", ""}[i%5]
		j.unseal(t, jwe[:i]+letter+jwe[i+1:], false)
	}
	for i := range jws {
		letter := []string{"A", "_", ".", "\n", ""}[i%5]
		j.verify(t, jws[:i]+letter+jws[i+1:], false)
	}
}

// TestKeyDerivation compares this package's one round of Concat KDF with go-jose's.
func TestKeyDerivation(t *testing.T) {
	for i := range 100 {
		secret := sha256.Sum256([]byte{byte(i)})
		prefixed := append([]byte{0, 0, 0, byte(len(keyAlgorithm))}, keyAlgorithm...)
		want := make([]byte, 32)
		none := []byte{0, 0, 0, 0}
		if _, err := josecipher.NewConcatKDF(crypto.SHA256, secret[:], prefixed, none, none, []byte{0, 0, 1, 0}, nil).Read(want); err != nil {
			t.Fatal(err)
		}
		if got := deriveKey(secret[:]); string(got) != string(want) {
			t.Fatalf("secret %x: %x, want %x", secret, got, want)
		}
	}
}

// TestEphemeralKeyRefused checks that only a complete public key on the curve is used to
// agree on a secret with the hub's key (invalid-curve attacks, RFC 8725 §3.4).
func TestEphemeralKeyRefused(t *testing.T) {
	jwe, _ := sealedJWE(t)
	text, err := base64.RawURLEncoding.DecodeString(jwe[:strings.IndexByte(jwe, '.')])
	if err != nil {
		t.Fatal(err)
	}
	var head map[string]any
	if err := json.Unmarshal(text, &head); err != nil {
		t.Fatal(err)
	}
	good := head["epk"].(map[string]any)
	zero := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, change := range map[string]func(epk map[string]any){
		"no x":             func(epk map[string]any) { delete(epk, "x") },
		"y for x":          func(epk map[string]any) { epk["x"] = epk["y"] },
		"zero":             func(epk map[string]any) { epk["x"], epk["y"] = zero, zero },
		"short x":          func(epk map[string]any) { epk["x"] = epk["x"].(string)[:40] },
		"padded x":         func(epk map[string]any) { epk["x"] = epk["x"].(string) + "=" },
		"x a number":       func(epk map[string]any) { epk["x"] = 1 },
		"another curve":    func(epk map[string]any) { epk["crv"] = "P-384" },
		"another type":     func(epk map[string]any) { epk["kty"] = "OKP" },
		"no curve":         func(epk map[string]any) { delete(epk, "crv") },
		"with its private": func(epk map[string]any) { epk["d"] = epk["x"] },
	} {
		epk := map[string]any{}
		for k, v := range good {
			epk[k] = v
		}
		change(epk)
		text, err := json.Marshal(map[string]any{"epk": epk})
		if err != nil {
			t.Fatal(err)
		}
		o, err := readObject(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readEphemeral(o); err == nil {
			t.Errorf("%s: %s is taken", name, text)
		}
	}
	for _, epk := range []string{`null`, `"x"`, `[]`, `{}`} {
		o, err := readObject([]byte(`{"epk":` + epk + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readEphemeral(o); err == nil {
			t.Errorf("%s is taken", epk)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	j := newJudge(f)
	jwe, _ := sealedJWE(f)
	f.Add(jwe)
	f.Fuzz(func(t *testing.T, jwe string) { j.unseal(t, jwe, false) })
}

func FuzzVerify(f *testing.F) {
	j := newJudge(f)
	_, jws := sealedJWE(f)
	f.Add(jws)
	f.Fuzz(func(t *testing.T, jws string) { j.verify(t, jws, false) })
}
