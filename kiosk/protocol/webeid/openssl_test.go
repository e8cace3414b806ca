package webeid_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// These tests compare the package with OpenSSL. The package must accept the
// tokens, CRLs and OCSP answers of OpenSSL and refuse an altered token. OpenSSL
// must accept the signature in a token of the package.

// openssl runs an openssl command in dir and returns its output.
func openssl(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Dir = dir
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out.Bytes()
}

// opensslKinds are the algorithms, with the OpenSSL arguments that make a key
// and a signature for each.
var opensslKinds = []struct {
	algorithm webeid.Algorithm
	key       []string
	sign      []string
	scalar    int // bytes of R or S
}{
	{"ES256", []string{"ec", "ec_paramgen_curve:P-256"}, []string{"-sha256"}, 32},
	{"ES384", []string{"ec", "ec_paramgen_curve:P-384"}, []string{"-sha384"}, 48},
	{"ES512", []string{"ec", "ec_paramgen_curve:P-521"}, []string{"-sha512"}, 66},
	{"PS256", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}, 0},
	{"PS384", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}, 0},
	{"PS512", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}, 0},
	{"RS256", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha256"}, 0},
	{"RS384", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha384"}, 0},
	{"RS512", []string{"rsa", "rsa_keygen_bits:2048"}, []string{"-sha512"}, 0},
}

// opensslConfig contains the profile of a person's certificate and a CA that
// keeps its index in the working folder.
const opensslConfig = `
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
default_days = 30
default_crl_days = 1
policy = any
unique_subject = no
crl_extensions = crl
[any]
countryName = optional
commonName = supplied
serialNumber = optional
[crl]
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
prompt = no
utf8 = yes
string_mask = utf8only
[name]
C = NO
CN = Kari Prøve
serialNumber = 9578-4050-100001
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[person]
keyUsage = critical, digitalSignature, keyEncipherment
certificatePolicies = 2.16.578.1.26.1.3.1, 0.4.0.2042.1.2
[responder]
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
`

// opensslCA makes a CA and a person with a key of the given kind in a new
// folder. The files are ca.key, ca.pem, person.key and person.pem.
func opensslCA(t *testing.T, kind []string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"openssl.cnf": opensslConfig, "index.txt": "", "serial": "1234\n", "crlnumber": "0A\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl(t, dir, "genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key")
	openssl(t, dir, "req", "-config", "openssl.cnf", "-new", "-x509", "-days", "365", "-subj", "/C=NO/O=Smartkiosk Test/CN=OpenSSL CA", "-extensions", "root", "-key", "ca.key", "-out", "ca.pem")
	openssl(t, dir, "genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", "person.key")
	openssl(t, dir, "req", "-config", "openssl.cnf", "-new", "-key", "person.key", "-out", "person.csr")
	openssl(t, dir, "ca", "-config", "openssl.cnf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key", "-extensions", "person", "-in", "person.csr", "-out", "person.pem")
	return dir
}

func opensslDomain(t *testing.T, dir string) trust.Domain {
	return trust.Domain{
		Name:     "openssl",
		Anchors:  []*x509.Certificate{readPEM(t, filepath.Join(dir, "ca.pem"))},
		Policies: []string{policy},
		Subject:  trust.SubjectBuypass,
	}
}

func readPEM(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// opensslToken makes a token whose signature is from openssl dgst.
func opensslToken(t *testing.T, dir string, algorithm webeid.Algorithm, sign []string, scalar int) []byte {
	t.Helper()
	hash := sign[0]
	digest := func(data []byte) []byte {
		if err := os.WriteFile(filepath.Join(dir, "in"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		return openssl(t, dir, "dgst", hash, "-binary", "in")
	}
	signed := append(digest([]byte(origin)), digest([]byte(nonce))...)
	if err := os.WriteFile(filepath.Join(dir, "in"), signed, 0o600); err != nil {
		t.Fatal(err)
	}
	signature := openssl(t, dir, append(append([]string{"dgst"}, sign...), "-sign", "person.key", "in")...)
	if scalar > 0 {
		signature = rawECDSA(t, signature, scalar)
	}
	token, err := json.Marshal(map[string]string{
		"unverifiedCertificate": base64.StdEncoding.EncodeToString(readPEM(t, filepath.Join(dir, "person.pem")).Raw),
		"algorithm":             string(algorithm),
		"signature":             base64.StdEncoding.EncodeToString(signature),
		"format":                "web-eid:1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestOpenSSLSignsTokens(t *testing.T) {
	for _, kind := range opensslKinds {
		t.Run(string(kind.algorithm), func(t *testing.T) {
			dir := opensslCA(t, kind.key)
			d := opensslDomain(t, dir)
			d.Unrevocable = true
			domains, err := trust.New(d)
			if err != nil {
				t.Fatal(err)
			}
			v := &webeid.Validator{Origin: origin, Domains: domains}
			token := opensslToken(t, dir, kind.algorithm, kind.sign, kind.scalar)
			want := kiosk.Holder{ID: kari.ID, Name: kari.Name, Domain: "openssl"}
			if holder, err := v.Validate(t.Context(), token, nonce, time.Now()); err != nil || holder != want {
				t.Fatalf("got %+v, %v", holder, err)
			}
			_, err = v.Validate(t.Context(), token, strings.ToLower(nonce), time.Now())
			wantReason(t, err, kiosk.Signature)
			at := bytes.Index(token, []byte(`"signature":"`)) + 30
			token[at] ^= 1 // changes for example A to @: the text is then another signature or invalid base64
			if _, err = v.Validate(t.Context(), token, nonce, time.Now()); err == nil {
				t.Error("an altered token is accepted")
			}
		})
	}
}

func TestOpenSSLVerifiesTokens(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t)
	s.signer = newKey(t, "rsa", "holder")
	var token struct{ Signature []byte }
	if err := json.Unmarshal(s.token(s.certificate()), &token); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(s.signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "digest": challenge(), "signature": token.Signature,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl(t, dir, "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-in", "digest", "-sigfile", "signature", "-pkeyopt", "digest:sha256")
}

func wantReason(t testing.TB, err error, want kiosk.Reason) {
	t.Helper()
	if r, ok := err.(*trust.Refusal); !ok || r.Reason != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestOpenSSLMakesCRLs(t *testing.T) {
	kind := opensslKinds[0]
	dir := opensslCA(t, kind.key)
	token := opensslToken(t, dir, kind.algorithm, kind.sign, kind.scalar)
	validate := func(form string) error {
		t.Helper()
		openssl(t, dir, "ca", "-config", "openssl.cnf", "-batch", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-out", "crl.pem")
		openssl(t, dir, "crl", "-in", "crl.pem", "-outform", form, "-out", "crl")
		f, err := os.Open(filepath.Join(dir, "crl"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d := opensslDomain(t, dir)
		crl, err := trust.ReadCRL(f, d.Anchors)
		if err != nil {
			t.Fatal(err)
		}
		d.CRLs = []*trust.CRL{crl}
		domains, err := trust.New(d)
		if err != nil {
			t.Fatal(err)
		}
		v := &webeid.Validator{Origin: origin, Domains: domains}
		_, err = v.Validate(t.Context(), token, nonce, time.Now())
		return err
	}
	if err := validate("PEM"); err != nil {
		t.Error(err)
	}
	openssl(t, dir, "ca", "-config", "openssl.cnf", "-batch", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", "person.pem", "-crl_reason", "keyCompromise")
	wantReason(t, validate("DER"), kiosk.Revoked)
}

func TestOpenSSLAnswersOCSP(t *testing.T) {
	kind := opensslKinds[0]
	dir := opensslCA(t, kind.key)
	openssl(t, dir, "genpkey", "-algorithm", "rsa", "-out", "ocsp.key")
	openssl(t, dir, "req", "-config", "openssl.cnf", "-new", "-subj", "/C=NO/CN=OpenSSL responder", "-key", "ocsp.key", "-out", "ocsp.csr")
	openssl(t, dir, "ca", "-config", "openssl.cnf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key", "-extensions", "responder", "-in", "ocsp.csr", "-out", "ocsp.pem")
	token := opensslToken(t, dir, kind.algorithm, kind.sign, kind.scalar)
	validate := func(responder ...string) error {
		t.Helper()
		d := opensslDomain(t, dir)
		d.OCSP = &trust.OCSPRules{URL: startResponder(t, dir, responder...), Timeout: 20 * time.Second}
		domains, err := trust.New(d)
		if err != nil {
			t.Fatal(err)
		}
		v := &webeid.Validator{Origin: origin, Domains: domains, OCSP: trust.NewOCSP(http.DefaultTransport, rand.Reader)}
		_, err = v.Validate(t.Context(), token, nonce, time.Now())
		return err
	}
	byName := []string{"-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-nmin", "10"}
	if err := validate(byName...); err != nil {
		t.Error(err)
	}
	if err := validate(append(byName, "-resp_key_id")...); err != nil {
		t.Error(err)
	}
	if err := validate("-rsigner", "ca.pem", "-rkey", "ca.key", "-resp_no_certs"); err != nil {
		t.Error(err)
	}
	wantReason(t, validate("-rsigner", "person.pem", "-rkey", "person.key"), kiosk.RevocationUnknown)
	openssl(t, dir, "ca", "-config", "openssl.cnf", "-batch", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", "person.pem")
	wantReason(t, validate(byName...), kiosk.Revoked)
}

// startResponder runs openssl ocsp until the test ends, and returns its URL.
func startResponder(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "openssl", append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-port", "0"}, args...)...)
	c.Dir = dir
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); c.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); { // it prints its port when it listens
		if at, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			go io.Copy(io.Discard, out)
			address, _, _ := strings.Cut(at, " ")
			return "http://127.0.0.1" + address[strings.LastIndex(address, ":"):]
		}
	}
	c.Wait()
	t.Fatalf("openssl ocsp did not start:\n%s", errs.Bytes())
	return ""
}
