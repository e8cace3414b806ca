package event

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// forgery makes events that Seal would not make, part by part.
type forgery struct {
	device, hub *ecdsa.PrivateKey
	jwsHeader   map[string]any
	signed      string // the signed text
	jweHeader   map[jose.HeaderKey]any
	compress    bool
	enc         jose.ContentEncryption
	alg         jose.KeyAlgorithm
	jws         func(string) string
	jwe         func(string) string
	event       func(map[string]any)
	text        func(string) string
}

func forge(t *testing.T, change func(*forgery)) []byte {
	t.Helper()
	h := testHeader(t, 1, nil)
	text, err := signedText(h, testVisit())
	if err != nil {
		t.Fatal(err)
	}
	same := func(s string) string { return s }
	f := forgery{
		device: deviceKey(t), hub: hubKey(t), signed: string(text), enc: encryption, alg: keyAlgorithm,
		jwsHeader: map[string]any{"alg": "ES256", "typ": signedType},
		jweHeader: map[jose.HeaderKey]any{"cty": sealedType},
		jws:       same, jwe: same, text: same, event: func(map[string]any) {},
	}
	change(&f)

	id, err := KeyID(&f.device.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, set := f.jwsHeader["kid"]; !set {
		f.jwsHeader["kid"] = id
	}
	head, err := json.Marshal(f.jwsHeader)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString([]byte(f.signed))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, f.device, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	jws := f.jws(input + "." + base64.RawURLEncoding.EncodeToString(signature))

	id, err = KeyID(&f.hub.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	options := &jose.EncrypterOptions{}
	for k, v := range f.jweHeader {
		options.WithHeader(k, v)
	}
	if f.compress {
		options.Compression = jose.DEFLATE
	}
	e, err := jose.NewEncrypter(f.enc, jose.Recipient{Algorithm: f.alg, Key: &f.hub.PublicKey, KeyID: id}, options)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := e.Encrypt([]byte(jws))
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := sealed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(envelope{SpecVersion: "1.0", attributes: h.attributes(), DataContentType: "application/jose", Data: f.jwe(jwe)})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	f.event(m)
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return []byte(f.text(string(b)))
}

func set(name string, value any) func(*forgery) {
	return func(f *forgery) { f.event = func(m map[string]any) { m[name] = value } }
}

func remove(name string) func(*forgery) {
	return func(f *forgery) { f.event = func(m map[string]any) { delete(m, name) } }
}

func signedAs(old, new string) func(*forgery) {
	return func(f *forgery) { f.signed = strings.Replace(f.signed, old, new, 1) }
}

// part replaces the nth part of a compact serialisation.
func part(n int, change func(string) string) func(string) string {
	return func(s string) string {
		parts := strings.Split(s, ".")
		parts[n] = change(parts[n])
		return strings.Join(parts, ".")
	}
}

// otherBit changes the content of a base64url text.
func otherBit(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// looseBit changes the last letter of a base64url text of 32n bytes so that a lenient
// decoder still returns the same bytes.
func looseBit(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
}
