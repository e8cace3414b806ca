package webeid_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// judged checks that the token was either refused or accepted as Kari's.
func judged(t *testing.T, holder kiosk.Holder, err error) {
	t.Helper()
	if err == nil && holder != kari {
		t.Errorf("accepted %+v", holder)
	}
	if _, ok := errors.AsType[*trust.Refusal](err); err != nil && !ok {
		t.Errorf("%v is no refusal", err)
	}
}

func FuzzToken(f *testing.F) {
	s := newScene(f)
	v := s.validator()
	f.Add(s.token(s.certificate()))
	s.signer = newKey(f, "rsa", "holder")
	f.Add(s.token(s.certificate()))
	f.Add([]byte(`{"unverifiedCertificate":"MA==","algorithm":"ES256","signature":"AA==","format":"web-eid:1.0","x":[{"y":null}],"appVersion":"https://web-eid.eu"}`))
	f.Fuzz(func(t *testing.T, token []byte) {
		holder, err := v.Validate(t.Context(), token, nonce, now)
		judged(t, holder, err)
	})
}

// FuzzCertificate puts certificates into a token that is otherwise valid.
func FuzzCertificate(f *testing.F) {
	s := newScene(f)
	v := s.validator()
	var token map[string]string
	if err := json.Unmarshal(s.token(s.certificate()), &token); err != nil {
		f.Fatal(err)
	}
	f.Add(s.certificate())
	f.Add(s.ca.cert.Raw)
	f.Fuzz(func(t *testing.T, cert []byte) {
		token["unverifiedCertificate"] = base64.StdEncoding.EncodeToString(cert)
		text, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		holder, err := v.Validate(t.Context(), text, nonce, now)
		judged(t, holder, err)
	})
}

// answering is a responder that always returns the same response.
type answering []byte

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}

// zeros is a source of nonces that are all equal, so that the same response
// fits each request.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func FuzzOCSP(f *testing.F) {
	s := newScene(f).withOCSP()
	v, token := s.validator(), s.token(s.certificate())
	seed := func() {
		var last []byte
		s.responder.edit = func(b []byte) []byte { last = b; return b }
		v.OCSP = trust.NewOCSP(s.responder, zeros{})
		if _, err := v.Validate(f.Context(), token, nonce, now); err != nil {
			f.Fatal(err)
		}
		f.Add(last)
	}
	seed()
	s.responder.template = nil
	seed()
	f.Fuzz(func(t *testing.T, response []byte) {
		own := webeid.Validator{Origin: v.Origin, Domains: v.Domains, OCSP: trust.NewOCSP(answering(response), zeros{})}
		holder, err := own.Validate(t.Context(), token, nonce, now)
		judged(t, holder, err)
	})
}

func FuzzCRL(f *testing.F) {
	s := newScene(f)
	var der []byte
	s.editCRL = func(b []byte) []byte { der = b; return b }
	s.crl.ExtraExtensions = distributionPoint(f, fullName(f, crlURL))
	s.revoke(4711).ReasonCode = 1
	s.validator()
	f.Add(der)
	f.Add([]byte("-----BEGIN X509 CRL-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END X509 CRL-----\n"))
	issuers := []*x509.Certificate{s.ca.cert}
	f.Fuzz(func(t *testing.T, data []byte) {
		crl, err := trust.ReadCRL(bytes.NewReader(data), issuers)
		if err == nil && crl.Len() != 2 {
			t.Errorf("an altered CRL is taken, with %d entries", crl.Len())
		}
	})
}
