package webeid_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

func TestHostileTokens(t *testing.T) {
	member := func(name string, value any) func(*scene) {
		return func(s *scene) {
			s.edit = func(token map[string]any) {
				if value == nil {
					delete(token, name)
				} else {
					token[name] = value
				}
			}
		}
	}
	text := func(edit func(token []byte) []byte) func(*scene) {
		return func(s *scene) { s.editRaw = edit }
	}
	replace := func(old, new string) func(*scene) {
		return text(func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) })
	}
	// signature changes the bytes of the signature.
	signature := func(edit func(b []byte) []byte) func(*scene) {
		return func(s *scene) {
			s.edit = func(token map[string]any) {
				b, _ := base64.StdEncoding.DecodeString(token["signature"].(string))
				token["signature"] = base64.StdEncoding.EncodeToString(edit(b))
			}
		}
	}
	flip := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
	zeros := func(b []byte) []byte { return make([]byte, len(b)) }
	with := func(kind, algorithm string, then func(*scene)) func(*scene) {
		return func(s *scene) {
			s.signer = newKey(s.t, kind, "holder")
			then(s)
			if edit := s.edit; edit != nil {
				s.edit = func(token map[string]any) { token["algorithm"] = algorithm; edit(token) }
			} else {
				s.edit = func(token map[string]any) { token["algorithm"] = algorithm }
			}
		}
	}
	same := func(*scene) {}

	judgeAll(t, newScene, []hostile{
		{"nothing", kiosk.Parse, "", text(func([]byte) []byte { return nil })},
		{"99 bytes", kiosk.Parse, "", text(func(b []byte) []byte { return b[:99] })},
		{"10,001 bytes", kiosk.Parse, "", text(func(b []byte) []byte { return append(b, strings.Repeat(" ", 10_001-len(b))...) })},
		{"no JSON", kiosk.Parse, "", text(func(b []byte) []byte { return bytes.Repeat([]byte("x"), 200) })},
		{"NUL bytes", kiosk.Parse, "", text(func(b []byte) []byte { return make([]byte, 200) })},
		{"a byte order mark", kiosk.Parse, "", text(func(b []byte) []byte { return append([]byte("\ufeff"), b...) })},
		{"an array around it", kiosk.Parse, "", text(func(b []byte) []byte { return append(append([]byte("["), b...), ']') })},
		{"cut short", kiosk.Parse, "", text(func(b []byte) []byte { return b[:len(b)-1] })},
		{"another object after it", kiosk.Parse, "", text(func(b []byte) []byte { return append(b, "{}"...) })},
		{"a member twice", kiosk.Parse, "", replace(`{`, `{"format":"web-eid:1.0",`)},
		{"an unknown member twice", kiosk.Parse, "", replace(`{`, `{"x":1,"x":2,`)},
		{"a member twice, once escaped", kiosk.Parse, "", replace(`{`, `{"form\u0061t":"web-eid:1.0",`)},
		{"no certificate", kiosk.Parse, "", member("unverifiedCertificate", nil)},
		{"an empty certificate", kiosk.Parse, "", member("unverifiedCertificate", "")},
		{"the certificate in another case", kiosk.Parse, "", replace("unverifiedCertificate", "UnverifiedCertificate")},
		{"the certificate as a number", kiosk.Parse, "", member("unverifiedCertificate", 4711)},
		{"the certificate in base64url", kiosk.Parse, "", replace(`"unverifiedCertificate":"`, `"unverifiedCertificate":"-_`)},
		{"a line end in base64", kiosk.Parse, "", replace(`"unverifiedCertificate":"MIIC`, `"unverifiedCertificate":"MIIC\n`)},
		{"bits after the end of base64", kiosk.Parse, "", member("signature", "AB==")},
		{"base64 without padding", kiosk.Parse, "", member("signature", "AAA")},
		{"no signature", kiosk.Parse, "", member("signature", nil)},
		{"the signature as null", kiosk.Parse, "", replace(`"signature":"`, `"signature":null,"x":"`)},
		{"the algorithm as a list", kiosk.Parse, "", member("algorithm", []string{"ES256"})},

		{"no format", kiosk.Format, "", member("format", nil)},
		{"the next version", kiosk.Format, "", member("format", "web-eid:2.0")},
		{"version 10", kiosk.Format, "", member("format", "web-eid:10")},
		{"a version in words", kiosk.Format, "", member("format", "web-eid:1.0 or later")},
		{"a space before the format", kiosk.Format, "", member("format", " web-eid:1.0")},

		{"no algorithm", kiosk.Algorithm, "", member("algorithm", nil)},
		{"algorithm none", kiosk.Algorithm, "", member("algorithm", "none")},
		{"algorithm HS256", kiosk.Algorithm, "", member("algorithm", "HS256")},
		{"algorithm in lower case", kiosk.Algorithm, "", member("algorithm", "es256")},
		{"algorithm of another curve", kiosk.Algorithm, "", member("algorithm", "ES384")},
		{"algorithm of RSA with an ECDSA key", kiosk.Algorithm, "", member("algorithm", "RS256")},
		{"algorithm of ECDSA with an RSA key", kiosk.Algorithm, "", with("rsa", "ES256", same)},

		{"for another origin", kiosk.Signature, "", func(s *scene) { s.signed.origin = "https://evil.example:8443" }},
		{"for the origin without its port", kiosk.Signature, "", func(s *scene) { s.signed.origin = "https://hub.example" }},
		{"for another nonce", kiosk.Signature, "", func(s *scene) {
			s.signed.nonce = base64.StdEncoding.EncodeToString([]byte("abcdef0123456789abcdef0123456789"))
		}},
		{"by another key", kiosk.Signature, "", func(s *scene) { s.public = newKey(s.t, "p256", "somebody else").Public() }},
		{"one bit of ECDSA changed", kiosk.Signature, "", signature(flip)},
		{"ECDSA in DER", kiosk.Signature, "", func(s *scene) {
			der, err := ecdsa.SignASN1(rand.Reader, newKey(s.t, "p256", "holder").(*ecdsa.PrivateKey), challenge())
			if err != nil {
				s.t.Fatal(err)
			}
			signature(func([]byte) []byte { return der })(s)
		}},
		{"ECDSA of zeros", kiosk.Signature, "", signature(zeros)},
		{"ECDSA with a zero before R and S", kiosk.Signature, "", signature(func(b []byte) []byte {
			return append(append([]byte{0}, b[:32]...), append([]byte{0}, b[32:]...)...)
		})},
		{"ECDSA with a byte after it", kiosk.Signature, "", signature(func(b []byte) []byte { return append(b, 0) })},
		{"one bit of RSA changed", kiosk.Signature, "", with("rsa", "RS256", signature(flip))},
		{"RSA of zeros", kiosk.Signature, "", with("rsa", "RS256", signature(zeros))},
		{"RSA one byte short", kiosk.Signature, "", with("rsa", "RS256", signature(func(b []byte) []byte { return b[1:] }))},
		{"PKCS #1 v1.5 said to be PSS", kiosk.Signature, "", with("rsa", "PS256", same)},
		{"another hash than was said", kiosk.Signature, "", with("rsa", "RS512", same)},
		{"PSS with an empty salt", kiosk.Signature, "", with("rsa", "PS256", signature(func([]byte) []byte {
			key := newKey(t, "rsa", "holder").(*rsa.PrivateKey)
			b, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, challenge(), &rsa.PSSOptions{SaltLength: 0})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}))},
	})
}
