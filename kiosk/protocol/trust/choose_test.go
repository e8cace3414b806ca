package trust_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var onePKI = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(now) })

func thePKI(t testing.TB) *testpki.PKI {
	t.Helper()
	p, err := onePKI()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// card returns the certificates on a card, in DER.
func card(t testing.TB, name string) (certs [][]byte) {
	h := thePKI(t).Holders[name]
	for _, c := range []testpki.Credential{h.Signature, h.Authentication} {
		if c.Certificate != nil {
			certs = append(certs, c.Certificate.Raw)
		}
	}
	return certs
}

func TestChooseOnEveryCard(t *testing.T) {
	d, err := configured(t, domain)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]kiosk.Reason{
		"valid": "", "revoked": "", "blocked": "", // a certificate does not show these
		"expired": kiosk.Expired, "foreign": kiosk.NotTrusted, "hsm": kiosk.Policy, "sign-only": kiosk.Purpose,
	} {
		choice, err := d.Choose(card(t, name), now)
		if want != "" {
			wantReason(t, name, err, want)
			continue
		}
		h := thePKI(t).Holders[name]
		if err != nil || choice.Index != 1 || !choice.Certificate.Equal(h.Authentication.Certificate) {
			t.Errorf("%s: got %+v, %v", name, choice, err)
		}
		if choice.Holder != (kiosk.Holder{ID: h.Person.ID, Name: h.Person.Name(), Domain: "buypass-test"}) {
			t.Errorf("%s: the holder is %+v", name, choice.Holder)
		}
	}
}

func wantReason(t *testing.T, name string, err error, want kiosk.Reason) {
	t.Helper()
	if r, ok := errors.AsType[*trust.Refusal](err); !ok || r.Reason != want {
		t.Errorf("%s: got %v; want %s", name, err, want)
	}
}

func TestChooseNamesTheNearestRefusal(t *testing.T) {
	d, err := configured(t, domain)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, name := range []string{"sign-only", "hsm", "expired", "foreign"} {
		all = append(all, card(t, name)...)
	}
	garbage, huge := []byte("garbage"), make([]byte, trust.MaxCertificate+1)
	for _, row := range []struct {
		name  string
		certs [][]byte
		want  kiosk.Reason
	}{
		{"no certificates", nil, kiosk.Purpose},
		{"garbage", [][]byte{garbage}, kiosk.Parse},
		{"too long", [][]byte{huge}, kiosk.Parse},
		{"garbage and a signature certificate", append([][]byte{garbage}, card(t, "sign-only")...), kiosk.Purpose},
		{"those that are not for authentication last", append(card(t, "hsm"), card(t, "sign-only")...), kiosk.Policy},
		{"every kind of trouble", all, kiosk.NotTrusted},
	} {
		_, err := d.Choose(row.certs, now)
		wantReason(t, row.name, err, row.want)
	}
}

// Of refusals that are equally near, the first certificate's is named.
func TestChooseNamesTheFirstRefusal(t *testing.T) {
	d, err := configured(t, domain)
	if err != nil {
		t.Fatal(err)
	}
	garbage, huge := []byte("garbage"), make([]byte, trust.MaxCertificate+1)
	_, first := d.Choose([][]byte{garbage}, now)
	_, second := d.Choose([][]byte{huge}, now)
	_, both := d.Choose([][]byte{garbage, huge}, now)
	if first == nil || second == nil || both == nil || first.Error() == second.Error() || both.Error() != first.Error() {
		t.Errorf("one: %v; the other: %v; both: %v", first, second, both)
	}
}

// The error of ReadCertificates names the file.
func TestReadCertificates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := trust.ReadCertificates(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.ReadCertificates(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file without a certificate: %v", err)
	}
}

// A card has certificates of a company and certificates of a public CA. The
// order of the domains decides, not the order of the certificates on the card.
func TestChooseByOrderOfDomainsThenValidity(t *testing.T) {
	p := thePKI(t)
	key := p.Holders["valid"].Authentication.Key.Public()
	person := testpki.Person{Given: "Kari", Surname: "Prøve", ID: "UN:NO-9578-4050-900000099"}
	make := func(months int, policies bool) []byte {
		tmpl := testpki.Authentication(person, now.AddDate(-1, 0, 0), now.AddDate(0, months, 0))
		if !policies {
			tmpl.Policies = nil
		}
		c, err := p.Issue(tmpl, key)
		if err != nil {
			t.Fatal(err)
		}
		return c.Raw
	}
	certs := [][]byte{make(12, false), make(6, true), make(9, true), make(18, false)}
	local := `
[[domain]]
name = "local"
anchors = ["root.pem"]
intermediates = ["person-ca.pem"]
policies = ["any"]
refused_policies = ["2.16.578.1.26.1.3.1"]
crls = ["person-ca.crl"]
subject = "serial-number"
`
	for _, row := range []struct {
		text  string
		index int
		id    string
	}{
		{domain + local, 2, person.ID},
		{local + domain, 3, "local:" + person.ID},
	} {
		d, err := configured(t, row.text)
		if err != nil {
			t.Fatal(err)
		}
		choice, err := d.Choose(certs, now)
		if err != nil || choice.Index != row.index || choice.Holder.ID != row.id {
			t.Errorf("got %+v, %v; want %d", choice, err, row.index)
		}
	}
}

// A certificate is refused for the other purpose. Choose does not check
// revocation, Check does.
func TestCheck(t *testing.T) {
	d, err := configured(t, domain+`purposes = ["authenticate", "sign"]`)
	if err != nil {
		t.Fatal(err)
	}
	valid, revoked := thePKI(t).Holders["valid"], thePKI(t).Holders["revoked"]
	for _, row := range []struct {
		name    string
		cert    *x509.Certificate
		purpose trust.Purpose
		want    kiosk.Reason
	}{
		{"authenticate with the one", valid.Authentication.Certificate, trust.Authenticate, ""},
		{"sign with the other", valid.Signature.Certificate, trust.Sign, ""},
		{"authenticate with the other", valid.Signature.Certificate, trust.Authenticate, kiosk.Purpose},
		{"sign with the one", valid.Authentication.Certificate, trust.Sign, kiosk.Purpose},
		{"revoked", revoked.Authentication.Certificate, trust.Authenticate, kiosk.Revoked},
	} {
		holder, err := d.Check(row.cert, row.purpose, now)
		if row.want != "" {
			wantReason(t, row.name, err, row.want)
		} else if err != nil || holder.ID != valid.Person.ID {
			t.Errorf("%s: got %+v, %v", row.name, holder, err)
		}
	}
}

// The refusal is that of the domain that has the issuer as a CA, even if the
// certificate passed more checks in another domain.
func TestRefusalIsOfTheDomainThatKnowsTheIssuer(t *testing.T) {
	d, err := configured(t, domain+`
[[domain]]
name = "other"
anchors = ["root.pem"]
policies = ["any"]
subject = "serial-number"
revocation = "none"
`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Check(authentication(t, "hsm"), trust.Authenticate, now)
	wantReason(t, "hsm", err, kiosk.Policy)
}

// Choose accepts the issuing CA's certificate from the card if an anchor has
// issued it. It does not accept an anchor from the card, and Check ignores the
// certificates from the card.
func TestChooseByAuthoritiesOfTheCard(t *testing.T) {
	p := thePKI(t)
	d, err := configured(t, strings.NewReplacer(
		`intermediates = ["person-ca.pem"]`, "", `crls = ["person-ca.crl"]`, `revocation = "none"`).Replace(domain))
	if err != nil {
		t.Fatal(err)
	}
	own := p.PersonCA.Raw
	many := slices.Repeat([][]byte{[]byte("garbage")}, trust.MaxAuthorities)
	for _, row := range []struct {
		name, card  string
		authorities [][]byte
		want        kiosk.Reason
	}{
		{"none", "valid", nil, kiosk.NotTrusted},
		{"its own", "valid", [][]byte{[]byte("garbage"), card(t, "valid")[0], own}, ""},
		{"one too many", "valid", append(many, own), kiosk.NotTrusted},
		{"a root of its own", "foreign", [][]byte{p.ForeignCA.Raw, p.ForeignRoot.Raw}, kiosk.NotTrusted},
		{"policy counts still", "hsm", [][]byte{own}, kiosk.Policy},
	} {
		choice, err := d.Choose(card(t, row.card), now, row.authorities...)
		if row.want != "" {
			wantReason(t, row.name, err, row.want)
			continue
		}
		if err != nil || choice.Index != 1 {
			t.Errorf("%s: got %+v, %v", row.name, choice, err)
			continue
		}
		_, err = d.Check(choice.Certificate, trust.Authenticate, now)
		wantReason(t, row.name+", judged without the card", err, kiosk.NotTrusted)
	}
}
