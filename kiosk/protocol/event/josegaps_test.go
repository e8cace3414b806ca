package event

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
)

// handmade is a JWE that a sender makes by hand. It is valid except for what a test
// changes.
type handmade struct {
	head    map[string]any // more of the protected header; nil values are left out
	keySize int            // of the content key, in bytes
	ivSize  int
	parts   func(parts [][]byte) // changes the wrapped key, the IV, the text and the tag
}

func (h handmade) seal(t *testing.T, text string) []byte {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	hub := hubKey(t)
	hubID, err := KeyID(&hub.PublicKey)
	must(err)
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	must(err)
	point := ephemeral.PublicKey().Bytes()
	head := map[string]any{"alg": string(keyAlgorithm), "enc": string(encryption), "cty": sealedType, "kid": hubID, "epk": map[string]any{
		"kty": "EC", "crv": "P-256", "x": base64url.EncodeToString(point[1:33]), "y": base64url.EncodeToString(point[33:]),
	}}
	for name, value := range h.head {
		if head[name] = value; value == nil {
			delete(head, name)
		}
	}
	protected, err := json.Marshal(head)
	must(err)
	first := base64url.EncodeToString(protected)

	public, err := hub.PublicKey.ECDH()
	must(err)
	secret, err := ephemeral.ECDH(public)
	must(err)
	wrapping, err := aes.NewCipher(deriveKey(secret))
	must(err)
	contentKey, iv := make([]byte, h.keySize), make([]byte, h.ivSize)
	wrapped, err := josecipher.KeyWrap(wrapping, contentKey)
	must(err)
	block, err := aes.NewCipher(contentKey)
	must(err)
	gcm, err := cipher.NewGCMWithNonceSize(block, h.ivSize)
	must(err)
	sealed := gcm.Seal(nil, iv, []byte(text), []byte(first))
	parts := [][]byte{wrapped, iv, sealed[:len(text)], sealed[len(text):]}
	if h.parts != nil {
		h.parts(parts)
	}
	jwe := first
	for _, p := range parts {
		jwe += "." + base64url.EncodeToString(p)
	}
	return []byte(jwe)
}

// move moves n bytes from the end of one part to the beginning of the next.
func move(from, to, n int) func([][]byte) {
	return func(p [][]byte) {
		cut := len(p[from]) - n
		p[to] = append(append([]byte{}, p[from][cut:]...), p[to]...)
		p[from] = p[from][:cut]
	}
}

// TestSealIsExact makes JWEs of which one part has another size, or which lack one member
// of the header, and which are valid otherwise. None may be opened, and none may cause a
// panic, because a hub opens events in separate goroutines.
func TestSealIsExact(t *testing.T) {
	o := NewOpener(jwk(t, "hub"))
	const text = "a text of some length"
	for name, tt := range map[string]struct {
		jwe  handmade
		want error
	}{
		"nothing changed":            {handmade{}, nil},
		"content key of 16 bytes":    {handmade{keySize: 16}, ErrSeal},
		"content key of 24 bytes":    {handmade{keySize: 24}, ErrSeal},
		"IV of 11 bytes":             {handmade{ivSize: 11}, ErrSeal},
		"IV of 13 bytes":             {handmade{ivSize: 13}, ErrSeal},
		"IV of 16 bytes":             {handmade{ivSize: 16}, ErrSeal},
		"no wrapped key":             {handmade{parts: func(p [][]byte) { p[0] = nil }}, ErrSeal},
		"wrapped key of 48 bytes":    {handmade{parts: func(p [][]byte) { p[0] = append(p[0], make([]byte, 8)...) }}, ErrSeal},
		"wrapped key of 41 bytes":    {handmade{parts: func(p [][]byte) { p[0] = append(p[0], 0) }}, ErrSeal},
		"no IV":                      {handmade{parts: func(p [][]byte) { p[1] = nil }}, ErrSeal},
		"IV cut":                     {handmade{parts: func(p [][]byte) { p[1] = p[1][:11] }}, ErrSeal},
		"no tag":                     {handmade{parts: move(3, 3, 0)}, nil},
		"tag in the text":            {handmade{parts: func(p [][]byte) { p[2], p[3] = append(append([]byte{}, p[2]...), p[3]...), nil }}, ErrSeal},
		"a byte of the text in tag":  {handmade{parts: move(2, 3, 1)}, ErrSeal},
		"a byte of the tag in text":  {handmade{parts: func(p [][]byte) { p[2], p[3] = append(append([]byte{}, p[2]...), p[3][0]), p[3][1:] }}, ErrSeal},
		"empty text":                 {handmade{parts: func(p [][]byte) { p[2] = nil }}, ErrSeal},
		"all parts empty":            {handmade{parts: func(p [][]byte) { clear(p) }}, ErrSeal},
		"no alg":                     {handmade{head: map[string]any{"alg": nil}}, ErrAlgorithm},
		"another alg":                {handmade{head: map[string]any{"alg": "ECDH-ES"}}, ErrAlgorithm},
		"no enc":                     {handmade{head: map[string]any{"enc": nil}}, ErrAlgorithm},
		"another enc":                {handmade{head: map[string]any{"enc": "A128GCM"}}, ErrAlgorithm},
		"no cty":                     {handmade{head: map[string]any{"cty": nil}}, ErrAlgorithm},
		"zip":                        {handmade{head: map[string]any{"zip": "DEF"}}, ErrAlgorithm},
		"apu":                        {handmade{head: map[string]any{"apu": "QQ"}}, ErrAlgorithm},
		"no kid":                     {handmade{head: map[string]any{"kid": nil}}, ErrHubKey},
		"kid a number":               {handmade{head: map[string]any{"kid": 1}}, ErrHubKey},
		"another kid":                {handmade{head: map[string]any{"kid": "x"}}, ErrHubKey},
		"no epk":                     {handmade{head: map[string]any{"epk": nil}}, ErrSeal},
		"epk a string":               {handmade{head: map[string]any{"epk": "x"}}, ErrSeal},
		"epk with nothing in it":     {handmade{head: map[string]any{"epk": map[string]any{}}}, ErrSeal},
		"epk of zeros, not on curve": {handmade{head: map[string]any{"epk": epkOf(make([]byte, 32), make([]byte, 32))}}, ErrSeal},
	} {
		if tt.jwe.keySize == 0 {
			tt.jwe.keySize = keySize
		}
		if tt.jwe.ivSize == 0 {
			tt.jwe.ivSize = ivSize
		}
		got, err := o.unseal(tt.jwe.seal(t, text))
		if !errors.Is(err, tt.want) || err == nil && string(got) != text {
			t.Errorf("%s: %q, error %v, want %v", name, got, err, tt.want)
		}
	}
}

func epkOf(x, y []byte) map[string]any {
	return map[string]any{"kty": "EC", "crv": "P-256", "x": base64url.EncodeToString(x), "y": base64url.EncodeToString(y)}
}

// TestCoordinatesAre32Bytes checks that each coordinate must have 32 bytes. Coordinates of
// 33 and 31 bytes would together also encode a point.
func TestCoordinatesAre32Bytes(t *testing.T) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point := key.PublicKey().Bytes()[1:]
	for _, cut := range []int{0, 31, 32, 33, 64} {
		text, err := json.Marshal(map[string]any{"epk": epkOf(point[:cut], point[cut:])})
		if err != nil {
			t.Fatal(err)
		}
		head, err := readObject(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readEphemeral(head); (err == nil) != (cut == 32) {
			t.Errorf("x of %d bytes: error %v", cut, err)
		}
	}
}

// TestSignatureIsExact signs a text by hand. A signature must have only one accepted
// encoding, because the next event's link depends on it.
func TestSignatureIsExact(t *testing.T) {
	device := deviceKey(t)
	id, err := KeyID(&device.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var none *ecdsa.PublicKey
	sign := func(head map[string]any, change func(r, s []byte) []byte) []byte {
		for name, value := range map[string]any{"alg": "ES256", "typ": signedType, "kid": id} {
			if _, there := head[name]; !there {
				head[name] = value
			} else if head[name] == nil {
				delete(head, name)
			}
		}
		text, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		input := base64url.EncodeToString(text) + "." + base64url.EncodeToString([]byte("{}"))
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, device, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return []byte(input + "." + base64url.EncodeToString(change(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))))
	}
	plain := func(r, s []byte) []byte { return append(r, s...) }
	keys := []crypto.PublicKey{&device.PublicKey}
	for name, tt := range map[string]struct {
		head   map[string]any
		change func(r, s []byte) []byte
		keys   []crypto.PublicKey
		want   error
	}{
		"nothing changed":            {map[string]any{}, plain, keys, nil},
		"behind keys of other kinds": {map[string]any{}, plain, []crypto.PublicKey{&other.PublicKey, &p384.PublicKey, none, nil, &stranger.PublicKey, &device.PublicKey}, nil},
		"no keys":                    {map[string]any{}, plain, nil, ErrDeviceKey},
		"others' keys":               {map[string]any{}, plain, []crypto.PublicKey{&other.PublicKey, &p384.PublicKey, &stranger.PublicKey}, ErrDeviceKey},
		"zero before s":              {map[string]any{}, func(r, s []byte) []byte { return append(append(r, 0), s...) }, keys, ErrSignature},
		"zero before r":              {map[string]any{}, func(r, s []byte) []byte { return append(append([]byte{0}, r...), s...) }, keys, ErrSignature},
		"zero after s":               {map[string]any{}, func(r, s []byte) []byte { return append(append(r, s...), 0) }, keys, ErrSignature},
		"s missing":                  {map[string]any{}, func(r, _ []byte) []byte { return r }, keys, ErrSignature},
		"no signature":               {map[string]any{}, func(_, _ []byte) []byte { return nil }, keys, ErrSignature},
		"r and s exchanged":          {map[string]any{}, func(r, s []byte) []byte { return append(s, r...) }, keys, ErrSignature},
		"zeros":                      {map[string]any{}, func(_, _ []byte) []byte { return make([]byte, 64) }, keys, ErrSignature},
		"no alg":                     {map[string]any{"alg": nil}, plain, keys, ErrAlgorithm},
		"another alg":                {map[string]any{"alg": "ES384"}, plain, keys, ErrAlgorithm},
		"no typ":                     {map[string]any{"typ": nil}, plain, keys, ErrAlgorithm},
		"another typ":                {map[string]any{"typ": "smartkiosk-policy+jws"}, plain, keys, ErrAlgorithm},
		"one more member":            {map[string]any{"x": 1}, plain, keys, ErrAlgorithm},
		"no kid":                     {map[string]any{"kid": nil}, plain, keys, ErrDeviceKey},
		"kid of no key":              {map[string]any{"kid": "x"}, plain, keys, ErrDeviceKey},
		"kid a number":               {map[string]any{"kid": 7}, plain, keys, ErrDeviceKey},
	} {
		text, err := verify(sign(tt.head, tt.change), tt.keys)
		if !errors.Is(err, tt.want) || err == nil && string(text) != "{}" {
			t.Errorf("%s: %q, error %v, want %v", name, text, err, tt.want)
		}
	}
	good := string(sign(map[string]any{}, plain))
	for name, jws := range map[string]string{
		"a fourth part": good + ".", "an empty part first": "." + good, "a line break": good[:9] + "\n" + good[9:],
		"padding": good + "=", "no header": good[strings.IndexByte(good, '.'):], "nothing": "", "two dots": "..",
	} {
		if _, err := verify([]byte(jws), keys); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
