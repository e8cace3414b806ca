package testpki_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func newPKI(t *testing.T) *testpki.PKI {
	t.Helper()
	p, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProfile compares the valid card's certificates with SMARTKORT.md §2.
func TestProfile(t *testing.T) {
	holder := newPKI(t).Holders["valid"]
	for _, test := range []struct {
		certificate  *x509.Certificate
		usage        x509.KeyUsage
		policies     []string
		qcStatements []asn1.ObjectIdentifier
	}{
		{
			holder.Authentication.Certificate,
			x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			[]string{"2.16.578.1.26.1.3.1", "0.4.0.2042.1.2"},
			[]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 11, 2}},
		},
		{
			holder.Signature.Certificate,
			x509.KeyUsageContentCommitment,
			[]string{"2.16.578.1.26.1.3.1", "0.4.0.194112.1.0"},
			[]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 11, 2}, {0, 4, 0, 1862, 1, 1}, {0, 4, 0, 1862, 1, 6}, {0, 4, 0, 1862, 1, 5}},
		},
	} {
		c := test.certificate
		var subject []string
		for _, name := range c.Subject.Names {
			subject = append(subject, fmt.Sprintf("%v=%v", name.Type, name.Value))
		}
		if got, want := strings.Join(subject, ", "),
			"2.5.4.6=NO, 2.5.4.4=Prøvesen, 2.5.4.42=Solveig, 2.5.4.3=Solveig Prøvesen, 2.5.4.5=UN:NO-9578-4050-900000001"; got != want {
			t.Errorf("subject %s, want %s", got, want)
		}
		if c.SignatureAlgorithm != x509.SHA256WithRSA || c.Issuer.CommonName != "Buypass Class 3 Test4 CA G2 HT Person" {
			t.Errorf("signed with %v by %v", c.SignatureAlgorithm, c.Issuer)
		}
		if c.KeyUsage != test.usage || len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) != 0 {
			t.Errorf("key usage %b, extended %v %v", c.KeyUsage, c.ExtKeyUsage, c.UnknownExtKeyUsage)
		}
		var policies []string
		for _, p := range c.Policies {
			policies = append(policies, p.String())
		}
		if !slices.Equal(policies, test.policies) {
			t.Errorf("policies %v", policies)
		}
		if !slices.Equal(c.OCSPServer, []string{testpki.OCSPURL}) || !slices.Equal(c.CRLDistributionPoints, []string{testpki.CRLURL}) {
			t.Errorf("OCSP %v, CRL %v", c.OCSPServer, c.CRLDistributionPoints)
		}
		if !c.NotBefore.Equal(now.AddDate(-1, 0, 0)) || !c.NotAfter.Equal(now.AddDate(2, 0, 0)) {
			t.Errorf("valid %v to %v", c.NotBefore, c.NotAfter)
		}
		if got := qcStatements(t, c); !slices.EqualFunc(got, test.qcStatements, asn1.ObjectIdentifier.Equal) {
			t.Errorf("qcStatements %v", got)
		}
	}
	if holder.Authentication.Key.Equal(holder.Signature.Key) {
		t.Error("one key for both certificates")
	}
}

func qcStatements(t *testing.T, c *x509.Certificate) (ids []asn1.ObjectIdentifier) {
	for _, e := range c.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}) {
			continue
		}
		var statements []struct {
			ID   asn1.ObjectIdentifier
			Info asn1.RawValue `asn1:"optional"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &statements); err != nil || len(rest) != 0 {
			t.Fatal(err)
		}
		for _, s := range statements {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// TestCards checks what is special about each card, with the standard library's path
// validation and the CRL, at now.
func TestCards(t *testing.T) {
	p := newPKI(t)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(p.Root)
	intermediates.AddCert(p.PersonCA)
	crl, err := x509.ParseRevocationList(p.CRL)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(p.PersonCA); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]struct {
		authentication, signature string // the error, without its details
		policy                    string
		revoked                   bool
		left                      int
	}{
		"valid":     {policy: "2.16.578.1.26.1.3.1", left: 3},
		"expired":   {policy: "2.16.578.1.26.1.3.1", left: 3, authentication: "x509: certificate has expired or is not yet valid"},
		"revoked":   {policy: "2.16.578.1.26.1.3.1", left: 3, revoked: true},
		"blocked":   {policy: "2.16.578.1.26.1.3.1"},
		"foreign":   {policy: "2.16.578.1.26.1.3.1", left: 3, authentication: "x509: certificate signed by unknown authority", signature: "x509: certificate signed by unknown authority"},
		"hsm":       {policy: "2.16.578.1.26.1.3.6", left: 3},
		"sign-only": {policy: "2.16.578.1.26.1.3.1", left: 3, authentication: "none"},
		"inactive":  {policy: "2.16.578.1.26.1.3.1", left: 3},
		"mute":      {policy: "2.16.578.1.26.1.3.1", left: 3},
	} {
		holder, image := p.Holders[name], p.Cards[name].Image()
		if image.Mute != (name == "mute") || image.Inactive != (name == "inactive") || image.PINs["pin"].Left != want.left || string(image.PINs["pin"].Value) != testpki.PIN ||
			image.PINs["puk"].Left != 3 || string(image.PINs["puk"].Value) != testpki.PUK {
			t.Errorf("%s: mute %v, PINs %v", name, image.Mute, image.PINs)
		}
		for _, test := range []struct {
			key        string
			credential testpki.Credential
			want       string
		}{
			{"authentication", holder.Authentication, want.authentication},
			{"signature", holder.Signature, want.signature},
		} {
			key, held := image.Keys[test.key]
			if test.want == "none" {
				if held || test.credential.Certificate != nil {
					t.Errorf("%s has an %s key", name, test.key)
				}
				continue
			}
			c := test.credential.Certificate
			if !bytes.Equal(key.Certificate, c.Raw) || !test.credential.Key.Equal(key.Private) || !test.credential.Key.PublicKey.Equal(c.PublicKey) {
				t.Errorf("%s: key, certificate and card do not fit for %s", name, test.key)
			}
			_, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s %s: %v, want %q", name, test.key, err, test.want)
			}
			if c.Policies[0].String() != want.policy {
				t.Errorf("%s %s: policy %v", name, test.key, c.Policies)
			}
			revoked := slices.ContainsFunc(crl.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
				return e.SerialNumber.Cmp(c.SerialNumber) == 0
			})
			if revoked != want.revoked {
				t.Errorf("%s %s: revoked %v", name, test.key, revoked)
			}
		}
	}
	if len(p.Cards) != 9 || len(p.Holders) != 9 {
		t.Errorf("%d cards, %d holders", len(p.Cards), len(p.Holders))
	}
}

func TestIssue(t *testing.T) {
	p := newPKI(t)
	template := testpki.Authentication(testpki.Person{Given: "Ny", Surname: "Prøve", ID: "9578-4050-7"}, now, now.AddDate(0, 0, 1))
	template.Policies = template.Policies[1:]
	c, err := p.Issue(template, p.Holders["valid"].Authentication.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignatureFrom(p.PersonCA); err != nil || c.Subject.SerialNumber != "9578-4050-7" || len(c.Policies) != 1 {
		t.Errorf("%v, %v, %v", c.Subject, c.Policies, err)
	}
	der, err := p.NewCRL(2, now, now.AddDate(0, 0, 1), c)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil || len(crl.RevokedCertificateEntries) != 1 || crl.Number.Int64() != 2 || !crl.NextUpdate.Equal(now.AddDate(0, 0, 1)) {
		t.Errorf("%+v, %v", crl, err)
	}
	if _, err := p.Issue(template, "no key"); err == nil || !strings.HasPrefix(err.Error(), "cannot issue certificate: ") {
		t.Error(err)
	}
}

// TestWrite checks the files of Write with openssl.
func TestWrite(t *testing.T) {
	p, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "pki")
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	openssl := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	openssl("crl", "-inform", "DER", "-in", "person-ca.crl", "-out", "crl.pem", "-CAfile", "person-ca.pem", "-verify")
	openssl("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "person-ca.pem", "-purpose", "ocsphelper", "ocsp.pem")
	if a, b := openssl("pkey", "-in", "ocsp.key", "-pubout"), openssl("x509", "-in", "ocsp.pem", "-pubkey", "-noout"); a != b {
		t.Error("ocsp.key is not the key of ocsp.pem")
	}
	for _, name := range []string{"two-pin", "no-aid", "applet", "t1", "mixed"} {
		if c, err := cardsim.Load(filepath.Join(dir, "cards", name+".card")); err != nil || c.Image().Kind != name {
			t.Errorf("%s.card: %v", name, err)
		}
	}
	for name, holder := range p.Holders {
		loaded, err := cardsim.Load(filepath.Join(dir, "cards", name+".card"))
		if err != nil {
			t.Error(err)
			continue
		}
		a, errA := loaded.Marshal()
		b, errB := p.Cards[name].Marshal()
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s.card is not the card", name)
		}
		if name != "valid" && name != "revoked" {
			continue
		}
		file := filepath.Join(dir, "leaf.der")
		if err := os.WriteFile(file, holder.Authentication.Certificate.Raw, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "person-ca.pem",
			"-crl_check", "-CRLfile", "crl.pem", "-policy_check", "-explicit_policy", "-policy", "2.16.578.1.26.1.3.1", "leaf.der")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if refused := strings.Contains(string(out), "certificate revoked"); (err == nil) != (name == "valid") || refused != (name == "revoked") {
			t.Errorf("openssl verify of %s: %v\n%s", name, err, out)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "trust.toml")); err != nil || !strings.Contains(string(b), `anchors = ["root.pem"]`) {
		t.Errorf("trust.toml: %s, %v", b, err)
	}
	if err := p.Write(dir); err == nil || err.Error() != "cannot write PKI: "+dir+" already holds one" {
		t.Errorf("second time: %v", err)
	}
	if err := p.Write(filepath.Join(dir, "root.pem", "x")); err == nil || !strings.HasPrefix(err.Error(), "cannot write PKI: ") {
		t.Errorf("impossible folder: %v", err)
	}
}
