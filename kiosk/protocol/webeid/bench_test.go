package webeid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
)

// BenchmarkValidation compares the validation of a token with the standard
// library's part of it: verifying the path of a parsed certificate, and the
// card's signature. The two are measured in turns, so that other load on the
// machine affects both. All keys of the PKI are RSA, as with Buypass, or all
// are P-256.
func BenchmarkValidation(b *testing.B) {
	for _, kind := range []string{"rsa", "p256"} {
		for _, revocation := range []string{"none", "CRL", "kept answer"} {
			b.Run(kind+"/"+revocation, func(b *testing.B) {
				s := benchScene(b, kind, revocation)
				v, token := s.validator(), s.token(s.certificate())
				bare := s.bare(token)
				var ours, library []time.Duration
				for b.Loop() {
					begin := time.Now()
					if _, err := v.Validate(b.Context(), token, nonce, now); err != nil {
						b.Fatal(err)
					}
					middle := time.Now()
					bare(b)
					ours, library = append(ours, middle.Sub(begin)), append(library, time.Since(middle))
				}
				// The median, because it ignores single turns that other
				// load has slowed down.
				b.ReportMetric(1/median(ours).Seconds(), "validations/s")
				b.ReportMetric(1/median(library).Seconds(), "bare/s")
				b.ReportMetric(float64(median(library))/float64(median(ours)), "of-bare")
			})
		}
	}
}

// benchScene returns a scene in which all keys are of one kind.
func benchScene(b *testing.B, kind, revocation string) *scene {
	b.Helper()
	s := newScene(b)
	if revocation == "kept answer" {
		s.withOCSP()
	}
	if kind == "rsa" {
		pki, err := testpki.New(now)
		if err != nil {
			b.Fatal(err)
		}
		s.root, s.ca = &authority{pki.Root, pki.RootKey}, &authority{pki.PersonCA, pki.PersonCAKey}
		if s.responder != nil {
			s.responder.issuer = s.ca
		}
	}
	if revocation == "none" {
		s.crl, s.domain.Unrevocable = nil, true
	}
	s.signer = newKey(b, kind, "holder")
	return s
}

// bare returns the standard library's part of validating a token.
func (s *scene) bare(text []byte) func(*testing.B) {
	s.t.Helper()
	var token struct{ UnverifiedCertificate, Signature string }
	if err := json.Unmarshal(text, &token); err != nil {
		s.t.Fatal(err)
	}
	der, _ := base64.StdEncoding.DecodeString(token.UnverifiedCertificate)
	signature, _ := base64.StdEncoding.DecodeString(token.Signature)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	options.Roots.AddCert(s.root.cert)
	options.Intermediates.AddCert(s.ca.cert)
	digest := challenge()
	return func(b *testing.B) {
		if _, err := cert.Verify(options); err != nil {
			b.Fatal(err)
		}
		ok := false
		switch k := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, signature) == nil
		case *ecdsa.PublicKey:
			ok = ecdsa.Verify(k, digest, new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
		}
		if !ok {
			b.Fatal("the signature is not good")
		}
	}
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
