package webeid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
)

// BenchmarkValidate has the validation of a token beside the bare work of the
// standard library that it rests on: parse, one path, one signature.
func BenchmarkValidate(b *testing.B) {
	for _, kind := range []string{"rsa", "p256"} {
		set := func(b *testing.B, ocsp bool) *scene {
			s := newScene(b)
			if ocsp {
				s.withOCSP()
			}
			s.signer = newKey(b, kind, "holder")
			return s
		}
		validate := func(b *testing.B, s *scene) {
			v, token := s.validator(), s.token(s.certificate())
			for b.Loop() {
				if _, err := v.Validate(b.Context(), token, nonce, now); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(kind+"/CRL", func(b *testing.B) { validate(b, set(b, false)) })
		b.Run(kind+"/answer kept", func(b *testing.B) { validate(b, set(b, true)) })
		b.Run(kind+"/bare", func(b *testing.B) {
			s := set(b, false)
			var token struct{ UnverifiedCertificate, Signature string }
			if err := json.Unmarshal(s.token(s.certificate()), &token); err != nil {
				b.Fatal(err)
			}
			der, _ := base64.StdEncoding.DecodeString(token.UnverifiedCertificate)
			signature, _ := base64.StdEncoding.DecodeString(token.Signature)
			roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(s.root.cert)
			intermediates.AddCert(s.ca.cert)
			for b.Loop() {
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
					b.Fatal(err)
				}
				ok := false
				switch k := cert.PublicKey.(type) {
				case *rsa.PublicKey:
					ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, challenge(), signature) == nil
				case *ecdsa.PublicKey:
					ok = ecdsa.Verify(k, challenge(), new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
				}
				if !ok {
					b.Fatal("the signature is not good")
				}
			}
		})
	}
}
