package webeid_test

import (
	"crypto/x509"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/trust"
)

const skew = trust.DefaultSkew

// windows are all time windows on which a token's validity depends. move sets
// one end of a window; opens is true if that end is the start.
var windows = map[string]struct {
	ocsp  bool
	move  func(s *scene, to time.Time)
	opens bool
}{
	"holder's notBefore": {false, func(s *scene, to time.Time) { s.template.NotBefore = to }, true},
	"holder's notAfter":  {false, func(s *scene, to time.Time) { s.template.NotAfter = to }, false},
	"CA's notBefore":     {false, func(s *scene, to time.Time) { replaceCA(s, func(c *x509.Certificate) { c.NotBefore = to }) }, true},
	"CA's notAfter":      {false, func(s *scene, to time.Time) { replaceCA(s, func(c *x509.Certificate) { c.NotAfter = to }) }, false},
	"CRL's thisUpdate":   {false, func(s *scene, to time.Time) { s.crl.ThisUpdate = to }, true},
	"CRL's nextUpdate":   {false, func(s *scene, to time.Time) { s.crl.NextUpdate = to }, false},
	"CRL's greatest age": {false, func(s *scene, to time.Time) { s.domain.MaxCRLAge = to.Sub(s.crl.ThisUpdate) }, false},
	"OCSP's thisUpdate":  {true, func(s *scene, to time.Time) { s.responder.answer.ThisUpdate = to }, true},
	"OCSP's nextUpdate":  {true, func(s *scene, to time.Time) { s.responder.answer.NextUpdate = to }, false},
	"OCSP's greatest age": {true, func(s *scene, to time.Time) {
		s.domain.OCSP = &trust.OCSPRules{MaxAge: to.Sub(s.responder.answer.ThisUpdate)}
	}, false},
	"responder's notBefore": {true, func(s *scene, to time.Time) { s.responder.template.NotBefore = to }, true},
	"responder's notAfter":  {true, func(s *scene, to time.Time) { s.responder.template.NotAfter = to }, false},
}

func replaceCA(s *scene, change func(*x509.Certificate)) {
	c := authorityTemplate("Test Person CA")
	change(c)
	s.replaceCA(c)
}

// TestSkew checks that every window has the same allowance for clock skew at
// both ends: a clock that is wrong by the allowance is accepted, one second
// more is not.
func TestSkew(t *testing.T) {
	for name, window := range windows {
		for _, own := range []time.Duration{0, time.Minute} { // the default and a domain's own
			allowed := skew
			if own > 0 {
				allowed = own
			}
			toward := time.Duration(1)
			if !window.opens {
				toward = -1
			}
			for _, c := range []struct {
				by time.Duration
				ok bool
			}{{0, true}, {30 * time.Second, true}, {allowed, true}, {allowed + time.Second, false}} {
				s := newScene(t)
				if window.ocsp {
					s.withOCSP()
				}
				s.domain.Skew = own
				window.move(s, now.Add(toward*c.by))
				if holder, err := s.judge(); (err == nil) != c.ok || c.ok && holder != kari {
					t.Errorf("%s is off by %v with a skew of %v: %v", name, toward*c.by, allowed, err)
				}
			}
		}
	}
}
