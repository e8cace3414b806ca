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

// scene is one valid set of PKI, trust domain and token. A test changes what
// it is about before judge puts it all together.
type scene struct {
	t         testing.TB
	root, ca  *authority
	domain    trust.Domain
	signer    crypto.Signer
	public    crypto.PublicKey // what the certificate is for; the signer's if nil
	template  *x509.Certificate
	editCert  func(der []byte) []byte
	algorithm webeid.Algorithm // that of the signer's key if ""
	signed    struct{ origin, nonce string }
	edit      func(token map[string]any)
	editRaw   func(token []byte) []byte
	at        time.Time

	crl     *x509.RevocationList // template; nil for a domain without CRL
	editCRL func(der []byte) []byte
	crlKey  *authority // who signs it
	crlErr  error      // why it was not taken

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

// withOCSP has the scene rest on a responder instead of a CRL.
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

// revoke puts a serial number on the CRL and gives its entry.
func (s *scene) revoke(serial int64) *x509.RevocationListEntry {
	list := &s.crl.RevokedCertificateEntries
	*list = append(*list, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: now.Add(-2 * time.Hour)})
	return &(*list)[len(*list)-1]
}

// replaceCA puts another person CA into the scene, made by template.
func (s *scene) replaceCA(tmpl *x509.Certificate) {
	s.ca = newAuthority(s.t, tmpl, "person-ca", s.root)
}

// judge makes certificate, CRL and token as the scene says, and has a
// Validator judge them.
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

// token makes a token with the certificate. webeid.Sign is made to sign with
// one that fits the key, as it would refuse many of those that tests put in.
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
	issuer   *authority        // whose certificates it speaks for
	template *x509.Certificate // of its own certificate; nil if the issuer answers itself
	key      crypto.Signer     // of its own certificate
	by       *authority        // who issued its own certificate; issuer if nil
	serial   *big.Int
	answer   ocsp.Response // template

	noNonce  bool
	nonce    []byte          // to answer with instead of the one asked
	extra    []asn1.RawValue // extensions beside the nonce
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

// respond answers a request as the responder is set up.
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

// rebuild signs a response anew with what edit makes of its ResponseData.
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
