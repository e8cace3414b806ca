package trust

import (
	"crypto/x509"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"smartkiosk/device/cardsim/testpki"
)

// FuzzProfile applies the rules to any certificate that crypto/x509 reads, as
// if a trusted CA had issued it.
func FuzzProfile(f *testing.F) {
	pki, err := testpki.New(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	if err != nil {
		f.Fatal(err)
	}
	for _, h := range pki.Holders {
		for _, c := range []testpki.Credential{h.Authentication, h.Signature} {
			if c.Certificate != nil {
				f.Add(c.Certificate.Raw)
			}
		}
	}
	f.Add(pki.Root.Raw)
	f.Add(pki.Responder.Raw)
	identifier := regexp.MustCompile(`^UN:NO-9578-4050-[0-9]+$`)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := ParseCertificate(der)
		if err != nil {
			return
		}
		d := &domain{Domain: Domain{Name: "d", Policies: []string{buypassCard}, RefusedPolicies: []string{buypassHSM}, Purposes: []Purpose{Authenticate, Sign}}}
		if d.checkPurpose(cert, Authenticate) == nil && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			t.Error("it would authenticate without digitalSignature")
		}
		if d.checkPurpose(cert, Sign) == nil && cert.KeyUsage&x509.KeyUsageContentCommitment == 0 {
			t.Error("it would sign without nonRepudiation")
		}
		if d.checkPolicy(cert) == nil && (hasPolicy(cert, buypassHSM) || !hasPolicy(cert, buypassCard)) {
			t.Error("its policies would do")
		}
		checkForm(cert)
		checkKey(cert.PublicKey)
		CheckCA(cert)
		withNameConstraints(cert)
		checkDirectoryNames([]*x509.Certificate{cert, cert})
		for _, d.Subject = range subjects {
			h, refusal := d.holder(cert)
			if refusal != nil {
				continue
			}
			if d.Subject == SubjectBuypass && !identifier.MatchString(h.ID) || d.Subject != SubjectBuypass && !strings.HasPrefix(h.ID, "d:") {
				t.Errorf("it names %q", h.ID)
			}
			if strings.ContainsFunc(h.ID+h.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("it names %q, %q", h.ID, h.Name)
			}
		}
	})
}
