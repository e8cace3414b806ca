package trust_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// The domains that a kiosk gets from a hub accept and refuse the same
// certificates as the operator's configuration.
func TestDocuments(t *testing.T) {
	d, err := configured(t, domain+`
purposes = ["authenticate", "sign"]
max_crl_age = "48h"
skew = "1m"
crl_urls = ["http://crl.example/ca.crl"]
[domain.ocsp]
[[domain]]
name = "other"
anchors = ["root.pem"]
policies = ["any"]
subject = "email"
revocation = "none"
`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d.Documents())
	if err != nil {
		t.Fatal(err)
	}
	var documents []trust.Document
	if err := json.Unmarshal(text, &documents); err != nil {
		t.Fatal(err)
	}
	got, err := trust.FromDocuments(documents, map[string][]*trust.CRL{"buypass-test": d.CRLs("buypass-test")})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Documents(), d.Documents()) {
		t.Errorf("the domains became %+v", got.Documents())
	}
	pki := thePKI(t)
	for name, want := range map[string]kiosk.Reason{"valid": "", "revoked": kiosk.Revoked, "hsm": kiosk.Policy, "expired": kiosk.Expired} {
		if reason := reasonOf(t, got, pki.Holders[name].Authentication.Certificate, now); reason != want {
			t.Errorf("%s: refused for %q, want %q", name, reason, want)
		}
	}
	// Without CRLs the revocation status is unknown.
	if got, err = trust.FromDocuments(documents, nil); err != nil {
		t.Fatal(err)
	}
	if reason := reasonOf(t, got, pki.Holders["valid"].Authentication.Certificate, now); reason != kiosk.RevocationUnknown {
		t.Errorf("without CRLs: %q", reason)
	}
	if s := d.Sources(); len(s) != 1 || s[0].Domain != "buypass-test" || s[0].URL != "http://crl.example/ca.crl" || len(s[0].Issuers) != 2 {
		t.Errorf("the CRLs are to be had from %+v", s)
	}
}

func TestBadDocuments(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[]`, "no trust domain"},
		{`[{"name":"a","anchors":["AAAA"]}]`, "cannot read certificate"},
		{`[{"name":"a","intermediates":["AAAA"]}]`, "cannot read certificate"},
		{`[{"name":"a"}]`, "no anchors"},
	} {
		var documents []trust.Document
		if err := json.Unmarshal([]byte(c.text), &documents); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.FromDocuments(documents, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := configured(t, domain+`crl_urls = ["ldap://crl.example"]`); err == nil || !strings.Contains(err.Error(), "no http URL") {
		t.Errorf("a CRL by LDAP: %v", err)
	}
}

// reasonOf returns why a certificate may not authenticate, or "" if it may.
func reasonOf(t *testing.T, d *trust.Domains, cert *x509.Certificate, at time.Time) kiosk.Reason {
	t.Helper()
	_, err := d.Check(cert, trust.Authenticate, at)
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
		return refusal.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}
