package webeid_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

func TestHostileOCSP(t *testing.T) {
	answer := func(edit func(a *ocsp.Response)) func(*scene) {
		return func(s *scene) { edit(&s.responder.answer) }
	}
	certificate := func(edit func(c *x509.Certificate)) func(*scene) {
		return func(s *scene) { edit(s.responder.template) }
	}
	der := func(edit func(b []byte) []byte) func(*scene) {
		return func(s *scene) { s.responder.edit = edit }
	}
	respond := func(b []byte) func(*scene) { return der(func([]byte) []byte { return b }) }
	tbs := func(edit func(elements []asn1.RawValue) []asn1.RawValue) func(*scene) {
		return func(s *scene) { s.responder.editTBS = edit }
	}

	start := func(t testing.TB) *scene { return newScene(t).withOCSP() }
	judgeAll(t, start, []hostile{
		{"revoked", kiosk.Revoked, `the responder said so at 2026-11-22T11:00:00Z`, answer(func(a *ocsp.Response) { a.Status, a.RevokedAt = ocsp.Revoked, now.Add(-2*time.Hour) })},
		{"on hold", kiosk.Revoked, `the responder said so at 2026-11-22T11:00:00Z`, answer(func(a *ocsp.Response) {
			a.Status, a.RevokedAt, a.RevocationReason = ocsp.Revoked, now.Add(-2*time.Hour), ocsp.CertificateHold
		})},
		{"unknown", kiosk.RevocationUnknown, `the responder said at 2026-11-22T11:00:00Z that it does not know the certificate`, answer(func(a *ocsp.Response) { a.Status = ocsp.Unknown })},

		{"unreachable", kiosk.RevocationUnknown, `Post "http://ocsp.example": connection refused`, func(s *scene) { s.responder.failWith = errors.New("connection refused") }},
		{"status 500", kiosk.RevocationUnknown, `it answered Internal Server Error`, func(s *scene) { s.responder.status = http.StatusInternalServerError }},
		{"redirects to another host", kiosk.RevocationUnknown, `it answered Temporary Redirect`, func(s *scene) {
			s.responder.status, s.responder.header = http.StatusTemporaryRedirect, http.Header{"Location": {"http://evil.example"}}
		}},
		{"64 KB of garbage and more", kiosk.RevocationUnknown, `its answer has more than 65536 bytes`, respond(make([]byte, 1<<20))},
		{"nothing", kiosk.RevocationUnknown, `asn1: syntax error: sequence truncated`, respond(nil)},
		{"malformed request", kiosk.RevocationUnknown, `ocsp: error from server: malformed`, respond(ocsp.MalformedRequestErrorResponse)},
		{"internal error", kiosk.RevocationUnknown, `ocsp: error from server: internal error`, respond(ocsp.InternalErrorErrorResponse)},
		{"try later", kiosk.RevocationUnknown, `ocsp: error from server: try later`, respond(ocsp.TryLaterErrorResponse)},
		{"unauthorized", kiosk.RevocationUnknown, `ocsp: error from server: unauthorized`, respond(ocsp.UnauthorizedErrorResponse)},
		{"success without an answer", kiosk.RevocationUnknown, `bad OCSP response type`, respond([]byte{0x30, 3, 0x0A, 1, 0})},
		{"cut short", kiosk.RevocationUnknown, `asn1: syntax error: data truncated`, der(func(b []byte) []byte { return b[:len(b)-1] })},
		{"a byte after it", kiosk.RevocationUnknown, `trailing data in OCSP response`, der(func(b []byte) []byte { return append(b, 0) })},
		{"of indefinite length", kiosk.RevocationUnknown, `asn1: syntax error: indefinite length found (not DER)`, der(func(b []byte) []byte { return indefinite(t, b) })},

		{"another nonce", kiosk.RevocationUnknown, `the answer has another nonce`, func(s *scene) { s.responder.nonce = make([]byte, 32) }},
		{"no nonce", kiosk.RevocationUnknown, `the answer has no nonce`, func(s *scene) { s.responder.noNonce = true }},
		{"an empty nonce", kiosk.RevocationUnknown, `the answer has another nonce`, func(s *scene) { s.responder.nonce = []byte{} }},
		{"another nonce, though it may be left out", kiosk.RevocationUnknown, `the answer has another nonce`, func(s *scene) {
			s.domain.OCSP = &trust.OCSPRules{NonceOptional: true}
			s.responder.nonce = make([]byte, 32)
		}},
		{"about another serial number", kiosk.RevocationUnknown, `the answer is about another certificate`, answer(func(a *ocsp.Response) { a.SerialNumber = big.NewInt(4712) })},
		{"about another issuer", kiosk.RevocationUnknown, `the answer is about another certificate`, func(s *scene) {
			// The responder's certificate is from the right CA, but the answer is for a CA with another name.
			other := authorityTemplate("Another CA")
			s.responder.issuer, s.responder.by = newAuthority(s.t, other, "person-ca", nil), s.ca
		}},
		{"named by another hash", kiosk.RevocationUnknown, `cannot read response: it is no ResponseData`, answer(func(a *ocsp.Response) { a.IssuerHash = crypto.SHA256 })},
		{"two answers", kiosk.RevocationUnknown, `OCSP response contains bad number of responses`, tbs(func(e []asn1.RawValue) []asn1.RawValue {
			var list []asn1.RawValue
			mustUnmarshal(t, e[2].FullBytes, &list)
			e[2] = raw(mustMarshal(t, append(list, list[0])))
			return e
		})},
		{"no answers", kiosk.RevocationUnknown, `OCSP response contains bad number of responses`, tbs(func(e []asn1.RawValue) []asn1.RawValue {
			e[2] = raw([]byte{0x30, 0})
			return e
		})},
		{"an unknown critical extension", kiosk.RevocationUnknown, `cannot read response: extension 1.3.6.1.4.1.32473.1: it is critical and not known`, func(s *scene) {
			s.responder.extra = []asn1.RawValue{raw(mustMarshal(t, extension{isCritical.Id, true, isCritical.Value}))}
		}},
		{"the nonce twice", kiosk.RevocationUnknown, `cannot read response: extension 1.3.6.1.5.5.7.48.1.2 occurs twice`, func(s *scene) {
			s.responder.extra = []asn1.RawValue{raw(mustMarshal(t, extension{ID: oidNonce, Value: []byte{4, 1, 1}}))}
		}},

		{"thisUpdate is in the future", kiosk.RevocationUnknown, `the answer is of 2026-11-22T12:06:00Z, which is in the future`, answer(func(a *ocsp.Response) { a.ThisUpdate = now.Add(6 * time.Minute) })},
		{"nextUpdate is longer ago than the skew", kiosk.RevocationUnknown, `the answer was good until 2026-11-22T11:54:59Z`, answer(func(a *ocsp.Response) { a.NextUpdate = now.Add(-skew - time.Second) })},
		{"a day and more than the skew old", kiosk.RevocationUnknown, `the answer is of 2026-11-21T11:54:59Z, older than 24h0m0s`, answer(func(a *ocsp.Response) { a.ThisUpdate = now.Add(-24*time.Hour - skew - time.Second) })},
		{"older than the domain allows", kiosk.RevocationUnknown, `the answer is of 2026-11-22T11:00:00Z, older than 54m0s`, func(s *scene) { s.domain.OCSP = &trust.OCSPRules{MaxAge: 54 * time.Minute} }},

		{"signed with SHA-1 by a responder", kiosk.RevocationUnknown, `the answer is signed with ECDSA-SHA1`, answer(func(a *ocsp.Response) { a.SignatureAlgorithm = x509.ECDSAWithSHA1 })},
		{"signed with SHA-1 by the issuer", kiosk.RevocationUnknown, `signed with ECDSA-SHA1`, func(s *scene) {
			s.responder.template = nil
			s.responder.answer.SignatureAlgorithm = x509.ECDSAWithSHA1
		}},

		{"by one who is no responder", kiosk.RevocationUnknown, `the responder's certificate is not for OCSP signing`, certificate(func(c *x509.Certificate) { c.ExtKeyUsage = nil })},
		{"by one who may do anything", kiosk.RevocationUnknown, `the responder's certificate is not for OCSP signing`, certificate(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })},
		{"by a holder", kiosk.RevocationUnknown, `the responder's certificate is not for OCSP signing`, func(s *scene) { s.responder.template, s.responder.key = s.template, s.signer }},
		{"by a CA below", kiosk.RevocationUnknown, `the responder's certificate is not for OCSP signing`, certificate(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, c.KeyUsage|x509.KeyUsageCertSign
		})},
		{"by a responder of another CA", kiosk.RevocationUnknown, `the responder's certificate is not of the issuer`, func(s *scene) {
			s.responder.by = newAuthority(s.t, authorityTemplate("Foreign CA"), "foreign", nil)
		}},
		{"by a responder of the root", kiosk.RevocationUnknown, `the responder's certificate is not of the issuer`, func(s *scene) { s.responder.by = s.root }},
		{"by a responder of another CA of the same name", kiosk.RevocationUnknown, `the responder's certificate is not of the issuer`, func(s *scene) {
			s.responder.by = newAuthority(s.t, authorityTemplate("Test Person CA"), "impostor", nil)
		}},
		{"by another CA itself", kiosk.RevocationUnknown, `the answer is about another certificate`, func(s *scene) {
			s.responder.template = nil
			s.responder.issuer = newAuthority(s.t, authorityTemplate("Test Person CA"), "impostor", nil)
		}},
		{"by a responder that has expired", kiosk.RevocationUnknown, `the responder's certificate is not valid now`, certificate(func(c *x509.Certificate) { c.NotAfter = now.Add(-skew - time.Second) })},
		{"by a responder to come", kiosk.RevocationUnknown, `the responder's certificate is not valid now`, certificate(func(c *x509.Certificate) { c.NotBefore = now.Add(skew + time.Second) })},
		{"by a responder that may not sign", kiosk.RevocationUnknown, `the responder's certificate is not for signatures`, certificate(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		{"by a responder with an unknown critical extension", kiosk.RevocationUnknown, `the responder's certificate has critical extension 1.3.6.1.4.1.32473.1`, certificate(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, isCritical)
		})},
		{"by a responder with a weak key", kiosk.RevocationUnknown, `an ECDSA key on P-224: P-256, P-384 and P-521 are accepted`, func(s *scene) { s.responder.key = newKey(s.t, "p224", "ocsp") }},
		{"by a responder that is revoked", kiosk.RevocationUnknown, `the responder's certificate is revoked`, func(s *scene) {
			s.crl = &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-48 * time.Hour), NextUpdate: now.Add(-24 * time.Hour)}
			s.revoke(99)
		}},
		{"naming another responder", kiosk.RevocationUnknown, `the answer names another responder than the one who has signed it`, tbs(func(e []asn1.RawValue) []asn1.RawValue {
			name := mustMarshal(t, authorityTemplate("Somebody").Subject.ToRDNSequence())
			e[0] = raw(mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: name}))
			return e
		})},
		{"naming another responder's key", kiosk.RevocationUnknown, `the answer names another responder than the one who has signed it`, tbs(func(e []asn1.RawValue) []asn1.RawValue {
			hash := mustMarshal(t, make([]byte, 20))
			e[0] = raw(mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: hash}))
			return e
		})},
		{"one bit of its signature changed", kiosk.RevocationUnknown, `the issuer has not signed the answer: x509: ECDSA verification failure`, func(s *scene) {
			s.responder.template = nil // without a certificate the signature is at the end
			s.responder.edit = func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		}},
		{"at no http address", kiosk.RevocationUnknown, `its address "file:///etc/passwd" is no http URL`, func(s *scene) { s.template.OCSPServer = []string{"file:///etc/passwd"} }},
		{"at no address", kiosk.RevocationUnknown, `the certificate names no responder`, func(s *scene) { s.template.OCSPServer = nil }},
		{"good, but a CRL lists the certificate", kiosk.Revoked, `the CRL of 2026-11-22T11:00:00Z lists it`, func(s *scene) {
			s.crl = &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
			s.revoke(4711)
		}},
	})
}

// Unusual responses that are accepted all the same.
func TestUnusualOCSP(t *testing.T) {
	for name, change := range map[string]func(s *scene){
		"by the issuer itself": func(s *scene) { s.responder.template = nil },
		"named by its key": func(s *scene) {
			s.responder.editTBS = func(e []asn1.RawValue) []asn1.RawValue {
				key, err := s.responder.key.Public().(*ecdsa.PublicKey).Bytes()
				if err != nil {
					t.Fatal(err)
				}
				hash := sha1.Sum(key)
				e[0] = raw(mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: mustMarshal(t, hash[:])}))
				return e
			}
		},
		"without nextUpdate": func(s *scene) { s.responder.answer.NextUpdate = time.Time{} },
		"without nonce, which the domain allows": func(s *scene) {
			s.domain.OCSP = &trust.OCSPRules{NonceOptional: true}
			s.responder.noNonce = true
		},
		"at the address of the domain": func(s *scene) {
			s.domain.OCSP = &trust.OCSPRules{URL: "http://other.example"}
			s.template.OCSPServer = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).withOCSP()
			change(s)
			if holder, err := s.judge(); err != nil || holder != kari {
				t.Errorf("got %+v, %v", holder, err)
			}
		})
	}
}

func TestCRLStandsInForAResponderThatIsSilent(t *testing.T) {
	s := newScene(t)
	crl := s.crl
	s.withOCSP().crl = crl
	s.responder.failWith = context.DeadlineExceeded
	if holder, err := s.judge(); err != nil || holder != kari {
		t.Errorf("got %+v, %v", holder, err)
	}
	s.responder.failWith, s.responder.answer.Status = nil, ocsp.Unknown
	if _, err := s.judge(); err == nil {
		t.Error("the CRL was preferred to a responder that does not know the certificate")
	}
}

// silent is a responder that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSilentResponderIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t).withOCSP()
		s.domain.OCSP = &trust.OCSPRules{Timeout: 2 * time.Second}
		v := s.validator()
		v.OCSP = trust.NewOCSP(silent{}, rand.Reader)
		start := time.Now()
		_, err := v.Validate(t.Context(), s.token(s.certificate()), nonce, s.at)
		if r, ok := errors.AsType[*trust.Refusal](err); !ok || r.Reason != kiosk.RevocationUnknown {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("waited %s", took)
		}
	})
}
