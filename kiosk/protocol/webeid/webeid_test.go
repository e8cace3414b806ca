package webeid_test

import (
	"crypto/x509"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

var kari = kiosk.Holder{ID: "UN:NO-9578-4050-100001", Name: "Kari Prøve", Domain: "buypass-test"}

func TestEveryAlgorithmSignsAndValidates(t *testing.T) {
	kinds := map[webeid.Algorithm]string{"ES256": "p256", "ES384": "p384", "ES512": "p521"}
	for _, algorithm := range []webeid.Algorithm{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := newScene(t)
			s.algorithm = algorithm
			s.signer = newKey(t, "rsa", "holder")
			if kind, ok := kinds[algorithm]; ok {
				s.signer = newKey(t, kind, "holder")
			}
			if holder, err := s.judge(); err != nil || holder != kari {
				t.Errorf("got %+v, %v", holder, err)
			}
		})
	}
}

// The unchanged scenes are valid. Each row in the tables of hostile scenes is
// thus refused because of its change.
func TestSceneIsValid(t *testing.T) {
	for name, s := range map[string]*scene{"CRL": newScene(t), "OCSP": newScene(t).withOCSP()} {
		if holder, err := s.judge(); err != nil || holder != kari {
			t.Errorf("%s: got %+v, %v", name, holder, err)
		}
	}
}

// The token has every fault at first. The test removes the faults one by one
// and expects the refusals in the order of the specification.
func TestOrderOfValidation(t *testing.T) {
	s := newScene(t)
	s.algorithm = "ES256"
	wrong := map[kiosk.Reason]bool{}
	steps := []kiosk.Reason{kiosk.Parse, kiosk.Format, kiosk.Purpose, kiosk.Policy, kiosk.Expired, kiosk.NotTrusted, kiosk.WeakKey, kiosk.Identifier, kiosk.Algorithm, kiosk.Signature, kiosk.Revoked}
	for _, r := range steps {
		wrong[r] = true
	}
	s.revoke(4711)
	trusted := s.ca
	s.edit = func(token map[string]any) {
		if wrong[kiosk.Format] {
			token["format"] = "web-eid:2"
		}
		if wrong[kiosk.Algorithm] {
			token["algorithm"] = "none"
		}
	}
	s.editRaw = func(b []byte) []byte {
		if wrong[kiosk.Parse] {
			return b[1:]
		}
		return b
	}
	s.editCert = func([]byte) []byte {
		tmpl, by, public := person(t), trusted, s.signer.Public()
		if wrong[kiosk.Purpose] {
			tmpl.KeyUsage = x509.KeyUsageContentCommitment
		}
		if wrong[kiosk.Policy] {
			tmpl.Policies = nil
		}
		if wrong[kiosk.Expired] {
			tmpl.NotAfter = now.Add(-time.Hour)
		}
		if wrong[kiosk.NotTrusted] {
			by = newAuthority(t, authorityTemplate("Test Person CA"), "impostor", nil)
		}
		if wrong[kiosk.WeakKey] {
			public = newKey(t, "p224", "holder").Public()
		}
		if wrong[kiosk.Identifier] {
			tmpl.Subject.SerialNumber = "100001"
		}
		if !wrong[kiosk.Revoked] {
			tmpl.SerialNumber = big.NewInt(4712)
		}
		return issue(t, tmpl, public, by).Raw
	}
	for _, r := range steps {
		if s.signed.nonce = nonce; wrong[kiosk.Signature] {
			s.signed.nonce = strings.Repeat("A", 44)
		}
		_, err := s.judge()
		wantReason(t, err, r)
		wrong[r] = false
	}
	s.signed.nonce = nonce
	if holder, err := s.judge(); err != nil || holder != kari {
		t.Errorf("got %+v, %v", holder, err)
	}
}

func TestAnswerOfResponderIsKeptForItsLifetime(t *testing.T) {
	s := newScene(t).withOCSP()
	v, token := s.validator(), s.token(s.certificate())
	ask := func(at time.Time, want int) {
		t.Helper()
		if _, err := v.Validate(t.Context(), token, nonce, at); err != nil {
			t.Error(err)
		}
		if s.responder.asked != want {
			t.Errorf("the responder was asked %d times, not %d", s.responder.asked, want)
		}
	}
	ask(now, 1)
	ask(now.Add(7*time.Hour), 1)
	s.responder.answer.ThisUpdate, s.responder.answer.NextUpdate = now.Add(7*time.Hour), now.Add(9*time.Hour)
	ask(now.Add(7*time.Hour+time.Second), 2)
	s.responder.answer.ThisUpdate, s.responder.answer.NextUpdate = now, time.Time{}
	ask(now.Add(10*time.Hour), 3)
	ask(now.Add(10*time.Hour), 4) // an answer without nextUpdate is not cached
}

// A Validator is safe for concurrent use, as in the hub.
func TestValidatorServesManyAtOnce(t *testing.T) {
	s := newScene(t).withOCSP()
	var answer answering
	s.responder.edit = func(b []byte) []byte { answer = b; return b }
	v, token := s.validator(), s.token(s.certificate())
	v.OCSP = trust.NewOCSP(s.responder, zeros{})
	if _, err := v.Validate(t.Context(), token, nonce, now); err != nil {
		t.Fatal(err)
	}
	v.OCSP = trust.NewOCSP(answer, zeros{})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if holder, err := v.Validate(t.Context(), token, nonce, now); err != nil || holder != kari {
					t.Errorf("got %+v, %v", holder, err)
				}
			}
		})
	}
	wait.Wait()
}
