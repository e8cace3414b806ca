package webeid_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// Unusual certificates that are accepted all the same.
func TestUnusualCertificates(t *testing.T) {
	as := func(id, name string) kiosk.Holder { return kiosk.Holder{ID: id, Name: name, Domain: kari.Domain} }
	template := func(edit func(c *x509.Certificate)) func(*scene) {
		return func(s *scene) { edit(s.template) }
	}
	for _, row := range []struct {
		name   string
		want   kiosk.Holder
		change func(s *scene)
	}{
		{"the older form of serialNumber", kari, template(func(c *x509.Certificate) { c.Subject.SerialNumber = "9578-4050-100001" })},
		{"valid to the second", kari, template(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now, now })},
		{"for signatures too", kari, template(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageContentCommitment })},
		{"for clients", kari, template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		{"for anything", kari, template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })},
		{"a serial number of 20 octets", kari, template(func(c *x509.Certificate) { c.SerialNumber.Lsh(c.SerialNumber, 146) })},
		{"an unknown extension", kari, template(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: isCritical.Id, Value: isCritical.Value}}
		})},
		{"a CA of any policy", kari, func(s *scene) {
			ca := authorityTemplate("Test Person CA")
			ca.Policies = []x509.OID{oid(t, "2.5.29.32.0")}
			s.replaceCA(ca)
		}},
		{"a CA of the policy", kari, func(s *scene) {
			ca := authorityTemplate("Test Person CA")
			ca.Policies = []x509.OID{oid(t, policy)}
			s.replaceCA(ca)
		}},
		{"a subject the CA may certify", kari, func(s *scene) {
			ca := authorityTemplate("Test Person CA")
			name := mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: mustMarshal(t, pkix.Name{Country: []string{"no"}}.ToRDNSequence())})
			subtree := mustMarshal(t, []asn1.RawValue{raw(name)})
			ca.ExtraExtensions = []pkix.Extension{{
				Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true,
				Value: mustMarshal(t, []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: subtree}}),
			}}
			s.replaceCA(ca)
		}},
		{"a name with what a screen would act on", as(kari.ID, "Kari[2J Prøve"), template(func(c *x509.Certificate) {
			c.Subject.CommonName = "Kari\x1b[2J\u202e Prøve\n"
		})},
		{"a name without end", as(kari.ID, strings.Repeat("å", 64)), template(func(c *x509.Certificate) {
			c.Subject.CommonName = strings.Repeat("å", 1000)
		})},
		{"a company's number", as("buypass-test:UN:NO-9578-4050-100001", kari.Name), func(s *scene) {
			s.domain.Subject = trust.SubjectSerialNumber
		}},
		{"an e-mail address", as("buypass-test:kari@firma.example", kari.Name), func(s *scene) {
			s.domain.Subject = trust.SubjectEmail
			s.template.EmailAddresses = []string{"Kari@Firma.example"}
		}},
		{"no policy where none is asked for", kari, func(s *scene) {
			s.domain.Policies = []string{trust.AnyPolicy}
			s.template.Policies = nil
		}},
		{"issued by an anchor", kari, func(s *scene) { s.root = s.ca }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t)
			row.change(s)
			if holder, err := s.judge(); err != nil || holder != row.want {
				t.Errorf("got %+v, %v", holder, err)
			}
		})
	}
}
