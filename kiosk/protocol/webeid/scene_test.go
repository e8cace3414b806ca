package webeid_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// scene is a valid combination of PKI, trust domain and token. A test changes a
// part of it and then calls judge.
type scene struct {
	t         testing.TB
	root, ca  *authority
	domain    trust.Domain
	signer    crypto.Signer
	public    crypto.PublicKey // in the certificate; nil: the signer's
	template  *x509.Certificate
	editCert  func(der []byte) []byte
	algorithm webeid.Algorithm // "": the one for the signer's key
	signed    struct{ origin, nonce string }
	edit      func(token map[string]any)
	editRaw   func(token []byte) []byte
	at        time.Time

	crl     *x509.RevocationList // template; nil for a domain without CRL
	editCRL func(der []byte) []byte
	crlKey  *authority // the CA that signs the CRL
	crlErr  error      // the error from reading the CRL

	responder *responder // nil for a domain without OCSP
}

func newScene(t testing.TB) *scene {
	s := &scene{t: t, at: now, signer: newKey(t, "p256", "holder"), template: person(t)}
	s.root = newAuthority(t, authorityTemplate("Test Root"), "root", nil)
	s.ca = newAuthority(t, authorityTemplate("Test Person CA"), "person-ca", s.root)
	s.signed.origin, s.signed.nonce = origin, nonce
	s.domain = trust.Domain{
		Name:            "buypass-test",
		Policies:        []string{policy},
		RefusedPolicies: []string{hsmPolicy},
		Subject:         trust.SubjectBuypass,
	}
	s.crl = &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	s.revoke(1)
	return s
}

// withOCSP replaces the CRL of the scene with a responder.
func (s *scene) withOCSP() *scene {
	s.crl = nil
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(99),
		Subject:      authorityTemplate("Test OCSP").Subject,
		NotBefore:    now.AddDate(0, -1, 0),
		NotAfter:     now.AddDate(0, 1, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
	}
	s.responder = &responder{t: s.t, issuer: s.ca, template: tmpl, key: newKey(s.t, "p256", "ocsp"), status: http.StatusOK}
	s.responder.answer = ocsp.Response{Status: ocsp.Good, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(7 * time.Hour), IssuerHash: crypto.SHA1}
	return s
}

// revoke adds a serial number to the CRL and returns its entry.
func (s *scene) revoke(serial int64) *x509.RevocationListEntry {
	list := &s.crl.RevokedCertificateEntries
	*list = append(*list, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: now.Add(-2 * time.Hour)})
	return &(*list)[len(*list)-1]
}

// replaceCA replaces the person CA of the scene with one made from a template.
func (s *scene) replaceCA(tmpl *x509.Certificate) {
	s.ca = newAuthority(s.t, tmpl, "person-ca", s.root)
}

// judge makes the certificate, the CRL and the token of the scene, and
// validates the token.
func (s *scene) judge() (kiosk.Holder, error) {
	s.t.Helper()
	v := s.validator()
	return v.Validate(s.t.Context(), s.token(s.certificate()), nonce, s.at)
}

func (s *scene) certificate() []byte {
	s.t.Helper()
	public := s.public
	if public == nil {
		public = s.signer.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, s.template, s.ca.cert, public, s.ca.key)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.editCert != nil {
		der = s.editCert(der)
	}
	return der
}

// token makes a token that contains cert. It signs with another certificate of
// the same key, because webeid.Sign would refuse many certificates of the
// tests.
func (s *scene) token(cert []byte) []byte {
	s.t.Helper()
	good := issue(s.t, person(s.t), s.signer.Public(), s.ca)
	sign := func() ([]byte, error) { return webeid.Sign(s.signer, good.Raw, s.signed.origin, s.signed.nonce) }
	if s.algorithm != "" {
		sign = func() ([]byte, error) {
			return webeid.SignWith(s.algorithm, s.signer, good.Raw, s.signed.origin, s.signed.nonce)
		}
	}
	text, err := sign()
	if err != nil {
		s.t.Fatal(err)
	}
	var token map[string]any
	if err := json.Unmarshal(text, &token); err != nil {
		s.t.Fatal(err)
	}
	token["unverifiedCertificate"] = base64.StdEncoding.EncodeToString(cert)
	if s.edit != nil {
		s.edit(token)
	}
	if text, err = json.Marshal(token); err != nil {
		s.t.Fatal(err)
	}
	if s.editRaw != nil {
		text = s.editRaw(text)
	}
	return text
}

func (s *scene) validator() *webeid.Validator {
	s.t.Helper()
	d := s.domain
	d.Anchors = []*x509.Certificate{s.root.cert}
	d.Intermediates = append([]*x509.Certificate{s.ca.cert}, d.Intermediates...)
	v := &webeid.Validator{Origin: origin}
	if s.crl != nil {
		by := s.crlKey
		if by == nil {
			by = s.ca
		}
		der, err := x509.CreateRevocationList(rand.Reader, s.crl, by.cert, by.key)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.editCRL != nil {
			der = s.editCRL(der)
		}
		var crl *trust.CRL
		if crl, s.crlErr = trust.ReadCRL(bytes.NewReader(der), append(d.Intermediates, d.Anchors...)); s.crlErr == nil {
			d.CRLs = append(d.CRLs, crl)
		}
	}
	if s.responder != nil || s.crlErr != nil {
		d.OCSP = &trust.OCSPRules{}
		if s.domain.OCSP != nil {
			d.OCSP = s.domain.OCSP
		}
	}
	if s.responder != nil {
		s.responder.serial = s.template.SerialNumber
		v.OCSP = trust.NewOCSP(s.responder, rand.Reader)
	}
	var err error
	if v.Domains, err = trust.New(d); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// responder is an OCSP responder behind an http.RoundTripper.
type responder struct {
	t        testing.TB
	issuer   *authority        // the CA whose certificates it knows
	template *x509.Certificate // of its own certificate; nil: the issuer itself signs the answers
	key      crypto.Signer     // of its own certificate
	by       *authority        // the issuer of its own certificate; nil: issuer
	serial   *big.Int
	answer   ocsp.Response // template

	noNonce  bool
	nonce    []byte          // in the response instead of the request's
	extra    []asn1.RawValue // extensions in addition to the nonce
	editTBS  func(elements []asn1.RawValue) []asn1.RawValue
	edit     func(der []byte) []byte
	status   int
	header   http.Header
	failWith error
	asked    int
}

var oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

type extension struct {
	ID       asn1.ObjectIdentifier
	Critical bool `asn1:"optional"`
	Value    []byte
}

func (r *responder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.asked++
	if r.failWith != nil {
		return nil, r.failWith
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	der := r.respond(body)
	return &http.Response{StatusCode: r.status, Status: http.StatusText(r.status), Header: r.header, Body: io.NopCloser(bytes.NewReader(der)), Request: request}, nil
}

// respond returns the response to a request.
func (r *responder) respond(request []byte) []byte {
	if _, err := ocsp.ParseRequest(request); err != nil {
		r.t.Errorf("the request is unreadable: %v", err)
	}
	answer := r.answer
	if answer.SerialNumber == nil {
		answer.SerialNumber = r.serial
	}
	cert, key := r.issuer.cert, r.issuer.key
	if r.template != nil {
		by := r.by
		if by == nil {
			by = r.issuer
		}
		cert, key = issue(r.t, r.template, r.key.Public(), by), r.key
		answer.Certificate = cert
	}
	der, err := ocsp.CreateResponse(r.issuer.cert, cert, answer, key)
	if err != nil {
		r.t.Fatal(err)
	}
	der = r.rebuild(der, key, func(tbs []asn1.RawValue) []asn1.RawValue {
		extensions := r.extra
		if !r.noNonce {
			extensions = append(extensions, raw(mustMarshal(r.t, extension{ID: oidNonce, Value: r.nonceFor(request)})))
		}
		if len(extensions) > 0 {
			tbs = append(tbs, raw(mustMarshal(r.t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: mustMarshal(r.t, extensions)})))
		}
		if r.editTBS != nil {
			tbs = r.editTBS(tbs)
		}
		return tbs
	})
	if r.edit != nil {
		der = r.edit(der)
	}
	return der
}

func (r *responder) nonceFor(request []byte) []byte {
	if r.nonce != nil {
		return mustMarshal(r.t, r.nonce)
	}
	var req struct {
		TBS struct {
			List       asn1.RawValue
			Extensions []extension `asn1:"explicit,tag:2"`
		}
	}
	mustUnmarshal(r.t, request, &req)
	return req.TBS.Extensions[0].Value
}

// rebuild changes ResponseData with edit and signs the response again.
func (r *responder) rebuild(der []byte, key crypto.Signer, edit func([]asn1.RawValue) []asn1.RawValue) []byte {
	type responseBytes struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	var response struct {
		Status asn1.Enumerated
		Bytes  responseBytes `asn1:"explicit,tag:0"`
	}
	mustUnmarshal(r.t, der, &response)
	response.Bytes.Response = resign(r.t, response.Bytes.Response, key, edit)
	return mustMarshal(r.t, response)
}
