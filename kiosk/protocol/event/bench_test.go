package event

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// BenchmarkOpen measures how long a hub takes to open the event of a visit, of 6.5 KB, on
// one processor.
func BenchmarkOpen(b *testing.B) {
	o, device := NewOpener(jwk(b, "hub")), &deviceKey(b).PublicKey
	sealed := benchEvent(b)
	b.ReportAllocs()
	for b.Loop() {
		e, err := o.Open(sealed, device)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Plain(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEvent(b *testing.B) []byte {
	visit := testVisit()
	visit.Evidence.Token = json.RawMessage(`{"pad":"` + strings.Repeat("x", 2900) + `"}`)
	sealed, _, err := sealer(b).Seal(testHeader(b, 1, nil), visit)
	if err != nil {
		b.Fatal(err)
	}
	return sealed
}

// BenchmarkBareOpen measures the part of BenchmarkOpen that cannot be avoided, with the
// standard library: key agreement, decryption, hashing and verification.
func BenchmarkBareOpen(b *testing.B) {
	size := len(benchEvent(b))
	hub, err := hubKey(b).ECDH()
	if err != nil {
		b.Fatal(err)
	}
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	point, key := ephemeral.PublicKey().Bytes(), make([]byte, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	device := deviceKey(b)
	jws := make([]byte, size*3/4)
	sealed := gcm.Seal(nil, key[:gcm.NonceSize()], jws, nil)
	text := base64.RawURLEncoding.EncodeToString(sealed)
	sum := sha256.Sum256(jws)
	signature, err := ecdsa.SignASN1(rand.Reader, device, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		public, err := ecdh.P256().NewPublicKey(point)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := hub.ECDH(public); err != nil {
			b.Fatal(err)
		}
		cipherText, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil {
			b.Fatal(err)
		}
		block, _ := aes.NewCipher(key)
		gcm, _ := cipher.NewGCM(block)
		jws, err := gcm.Open(cipherText[:0], key[:gcm.NonceSize()], cipherText, nil)
		if err != nil {
			b.Fatal(err)
		}
		sum, link := sha256.Sum256(jws), sha256.Sum256(jws)
		if _ = link; !ecdsa.VerifyASN1(&device.PublicKey, sum[:], signature) {
			b.Fatal("signature")
		}
	}
}
