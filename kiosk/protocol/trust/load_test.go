package trust_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/trust"
)

// configured writes trust.toml next to the files of the test PKI and loads it.
func configured(t *testing.T, text string) (*trust.Domains, error) {
	t.Helper()
	dir := t.TempDir()
	if err := thePKI(t).Write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "trust.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return trust.Load(path)
}

// domain is a valid [[domain]]. A test may append further keys.
const domain = `
[[domain]]
name = "buypass-test"
anchors = ["root.pem"]
intermediates = ["person-ca.pem"]
policies = ["2.16.578.1.26.1.3.1"]
refused_policies = ["2.16.578.1.26.1.3.6"]
crls = ["person-ca.crl"]
subject = "buypass"
`

func TestLoad(t *testing.T) {
	d, err := configured(t, domain+`
purposes = ["authenticate", "sign"]
max_crl_age = "48h"
skew = "1m"
[domain.ocsp]
url = "http://127.0.0.1:8080"
timeout = "2s"
max_age = "8h"
nonce = "optional"

[[domain]]
template = "local"
anchors = ["root.pem", "person-ca.pem"]
crls = ["person-ca.crl"]
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.Names(), " "); got != "buypass-test local" {
		t.Errorf("the domains are %s", got)
	}
}

// change replaces one line of domain.
func change(old, new string) string { return strings.Replace(domain, old, new, 1) }

func TestLoadRefuses(t *testing.T) {
	for _, bad := range []struct{ name, text, want string }{
		{"nothing", "", "no trust domain is given"},
		{"no TOML", "domain", "expected"},
		{"an unknown key", domain + `ancors = ["root.pem"]`, "ancors"},
		{"an unknown table", "[domains]\n", "domains"},
		{"a key of the wrong type", change(`["root.pem"]`, `"root.pem"`), "Anchors"},
		{"no name", change(`name = "buypass-test"`, ``), "name must be"},
		{"a name in capitals", change(`"buypass-test"`, `"UN"`), "name must be"},
		{"a name twice", domain + domain, "two of that name"},
		{"no anchors", change(`anchors = ["root.pem"]`, ``), "no anchors"},
		{"a CA file that is missing", change(`root.pem`, `absent.pem`), "the CA file absent.pem is missing: put it into"},
		{"a CA file that is not a certificate", change(`root.pem`, `person-ca.crl`), "CA file person-ca.crl: cannot read certificate"},
		{"a CA file with a key", change(`root.pem`, `ocsp.key`), `it holds a PEM block`},
		{"a certificate that is not of a CA", change(`root.pem`, `ocsp.pem`), "no CA certificate"},
		{"a CRL that is missing", change(`person-ca.crl`, `absent.crl`), "CRL file absent.crl: no such file"},
		{"a CRL file that is not a CRL", change(`"person-ca.crl"`, `"root.pem"`), "CRL file root.pem: cannot read CRL"},
		{"a CRL of another CA", change(`intermediates = ["person-ca.pem"]`, ``), "it is not signed by a CA of the trust domain"},
		{"no policies", change(`policies = ["2.16.578.1.26.1.3.1"]`, ``), `it asks for no policies`},
		{"a policy that is not an OID", change(`"2.16.578.1.26.1.3.1"`, `"person"`), "no object identifier"},
		{"any policy together with another", change(`["2.16.578.1.26.1.3.1"]`, `["any", "2.16.578.1.26.1.3.1"]`), "must be the only one"},
		{"every policy refused", change(`"2.16.578.1.26.1.3.6"`, `"any"`), "would refuse everybody"},
		{"a policy asked for and refused", change(`"2.16.578.1.26.1.3.6"`, `"2.16.578.1.26.1.3.1"`), "both asked for and refused"},
		{"an unknown purpose", domain + `purposes = ["encrypt"]`, `unknown purpose "encrypt"`},
		{"an unknown subject", change(`"buypass"`, `"name"`), `unknown way to name the subject "name"`},
		{"no subject", change(`subject = "buypass"`, ``), `unknown way to name the subject ""`},
		{"no source of revocation", change(`crls = ["person-ca.crl"]`, ``), `give crls, crl_urls or a table ocsp, or say revocation = "none"`},
		{"a source of revocation and revocation none", domain + `revocation = "none"`, `yet says revocation = "none"`},
		{"an unknown value of revocation", domain + `revocation = "soft"`, `the only value is "none"`},
		{"a span of time without a unit", domain + `max_crl_age = "48"`, `48`},
		{"a negative span of time", domain + `max_crl_age = "-48h"`, `negative time span`},
		{"a negative skew", domain + `skew = "-1s"`, `negative time span`},
		{"an unknown rule on nonces", domain + "[domain.ocsp]\nnonce = \"never\"", `"required" or "optional"`},
		{"an unknown key on OCSP", domain + "[domain.ocsp]\nuri = \"http://ocsp.example\"", "uri"},
		{"an unknown template", `[[domain]]` + "\n" + `template = "bankid"`, `template "bankid" does not exist: there are buypass, buypass-test, local`},
		{"buypass without its CA files", `[[domain]]` + "\n" + `template = "buypass"`, "https://www.buypass.com/security/buypass-root-certificates"},
		{"buypass-test without its CA files", `[[domain]]` + "\n" + `template = "buypass-test"`, "http://crt.test4.buypassca.com/"},
		{"local without its CA file", `[[domain]]` + "\n" + `template = "local"`, "local-ca.pem is missing"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			_, err := configured(t, bad.text)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.HasPrefix(err.Error(), "cannot read trust configuration ") || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("got %v; want %q", err, bad.want)
			}
		})
	}
}

func TestLoadOfNoFile(t *testing.T) {
	if _, err := trust.Load(filepath.Join(t.TempDir(), "trust.toml")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestTemplateTakesWhatIsSaid(t *testing.T) {
	d, err := configured(t, `
[[domain]]
template = "buypass-test"
name = "mine"
anchors = ["root.pem"]
intermediates = ["person-ca.pem"]
revocation = "none"
`)
	if err != nil {
		t.Fatal(err)
	}
	holder, err := d.Check(authentication(t, "valid"), trust.Authenticate, now)
	if err != nil || holder.Domain != "mine" {
		t.Errorf("got %+v, %v", holder, err)
	}
	if _, err = d.Check(authentication(t, "hsm"), trust.Authenticate, now); err == nil {
		t.Error("the policies of the template are not kept")
	}
}

func authentication(t *testing.T, card string) *x509.Certificate {
	return thePKI(t).Holders[card].Authentication.Certificate
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.toml")
	text := domain + "[[domain]]\ntemplate = \"buypass\"\ncrls = [\"person-ca.crl\", \"/srv/buypass.crl\"]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := trust.Files(path)
	if got := strings.Join(names, " "); err != nil || got != "/srv/buypass.crl BPCl3CaG2HTPS.cer BPCl3RootCaG2HT.cer person-ca.crl person-ca.pem root.pem" {
		t.Errorf("got %s, %v", got, err)
	}
}
