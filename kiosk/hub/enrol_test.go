package hub

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

func mustKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func requestFor(t testing.TB, id hubapi.Identity, key crypto.Signer) []byte {
	t.Helper()
	der, err := est.NewRequest(id, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// requestOf makes a request for the key and the names of a certificate.
func requestOf(t testing.TB, c tls.Certificate) []byte {
	t.Helper()
	id, err := hubapi.IdentityOf(c.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return requestFor(t, id, c.PrivateKey.(crypto.Signer))
}

// codes opens the codes of the bed's JetStream.
func (b *bed) codes() *codes {
	b.t.Helper()
	cfg, err := Load(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := openCodes(b.t.Context(), b.jetStream(), cfg.Sign, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// fullCode makes a code for a kiosk.
func (b *bed) fullCode(kiosk string) est.Code {
	b.t.Helper()
	ca, _, err := readCertificate(filepath.Join(b.dir, caFile))
	if err != nil {
		b.t.Fatal(err)
	}
	code, err := est.NewCode(kiosk, ca, rand.Reader)
	if err == nil {
		_, err = b.codes().put(b.t.Context(), code)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// code makes a code for a kiosk, and returns its secret.
func (b *bed) code(kiosk string) string { return string(b.fullCode(kiosk).Secret) }

// enrol sends a certificate request in base64.
func (p *party) enrol(kiosk, secret, media, body string) *http.Response {
	p.t.Helper()
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(kiosk, secret)
	return p.raw("POST", est.PathSimpleEnroll, media, body, "Authorization", r.Header.Get("Authorization"))
}

// servingHub is serving, and returns the hub too.
func (b *bed) servingHub() (h *Hub, url string) {
	b.t.Helper()
	h = b.open()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, ln) }()
	b.t.Cleanup(func() { cancel(); <-ended })
	return h, "https://" + ln.Addr().String()
}

// openFor makes a code for a kiosk that the hub knows of at once.
func (b *bed) openFor(h *Hub, kiosk string) est.Code {
	b.t.Helper()
	code := b.fullCode(kiosk)
	if err := h.codes.load(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return code
}

// A kiosk enrols with a code, and then has a certificate for everything else.
func TestEnrol(t *testing.T) {
	b := newBed(t)
	h, url := b.servingHub()
	code := b.openFor(h, "k1")
	key := mustKey(t)
	request := requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, key)
	ca, err := est.CA(t.Context(), url, code)
	if err != nil {
		t.Fatal(err)
	}
	first, err := est.Enrol(t.Context(), url, ca, code, request)
	if err != nil {
		t.Fatal(err)
	}
	// The answer may have been lost: the same key can use the code again.
	cert, err := est.Enrol(t.Context(), url, ca, code, request)
	if err != nil {
		t.Fatal(err)
	}
	if left := cert.NotAfter.Sub(b.now()); left < defaultLifetime-time.Minute || left > defaultLifetime {
		t.Errorf("the certificate is valid for %v", left)
	}
	// No other client can use it.
	_, err = est.Enrol(t.Context(), url, ca, code, requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, mustKey(t)))
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindCode || p.Detail != errCodeUsed.Error() {
		t.Errorf("a second kiosk with the same code: %v", err)
	}

	roots := x509.NewCertPool()
	roots.AddCert(ca)
	with := func(c *x509.Certificate) *party {
		return &party{t: t, url: url, id: "k1", tls: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}}}}
	}
	if err := with(first).accepts(url); err == nil {
		t.Error("the certificate whose answer was lost is still accepted")
	}
	k1 := with(cert)
	resp := k1.raw("GET", "/v1/setup", "", "")
	var files []string
	for archive := tar.NewReader(resp.Body); ; {
		f, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Name)
	}
	for _, want := range []string{"hub-ca.pem", "hub-seal.jwk", "hub-sign.jwk", "kioskd.toml", "trust/trust.toml"} {
		if !slices.Contains(files, want) {
			t.Errorf("setup has %q, without %s", files, want)
		}
	}
	if slices.Contains(files, "kiosk.key") {
		t.Error("setup has a private key")
	}

	// The kiosk renews its certificate itself. The old one stays valid until it expires.
	renewed, err := est.Renew(t.Context(), url, &hubapi.Credentials{Identity: hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, TLS: k1.tls}, request)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*x509.Certificate{cert, renewed} {
		if err := with(c).accepts(url); err != nil {
			t.Error(err)
		}
	}
}

// A connection without a client certificate reaches enrolment only, and only while a code
// waits for a kiosk.
func TestOnlyEnrolmentWithoutCertificate(t *testing.T) {
	b := newBed(t)
	h, url := b.servingHub()
	k1 := b.kiosk(url, "k1")
	anyone := &party{t: t, url: url, tls: &tls.Config{RootCAs: k1.tls.RootCAs}}
	refused := func(when string) {
		t.Helper()
		_, err := est.CA(t.Context(), url, est.Code{})
		if !errors.Is(err, est.ErrClosed) {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("without a code")

	code := b.openFor(h, "k2")
	for _, call := range []string{
		"POST /v1/challenges", "POST /v1/authentications", "POST /v1/events", "GET /v1/kiosk", "GET /v1/known", "GET /v1/crls/0",
		"GET /v1/feed/office", "POST /v1/feed/office/ack", "GET /v1/openapi.yaml", "GET /healthz", "GET /v1/setup", "GET /",
		"POST " + est.PathSimpleReenroll,
	} {
		method, path, _ := strings.Cut(call, " ")
		if status := anyone.raw(method, path, "", "").StatusCode; status != http.StatusForbidden {
			t.Errorf("%s is answered with %d", call, status)
		}
	}
	if status := anyone.raw("GET", est.PathCACerts, "", "").StatusCode; status != http.StatusOK {
		t.Errorf("cacerts is answered with %d", status)
	}
	// A certificate of another CA does not count as none.
	other := newBed(t).kiosk(url, "k1")
	other.tls.RootCAs = k1.tls.RootCAs
	forced := other.tls.Certificates[0]
	other.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &forced, nil }
	other.tls.Certificates = nil
	if err := other.accepts(url); err == nil || !strings.Contains(err.Error(), "unknown certificate authority") {
		t.Errorf("another CA's certificate: %v", err)
	}

	// An hour after the code was used, nothing is open any more.
	secret := string(code.Secret)
	body := string(est.Encode(requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}, mustKey(t))))
	if status := anyone.enrol("k2", secret, est.MediaRequest, body).StatusCode; status != http.StatusOK {
		t.Fatalf("enrolment is answered with %d", status)
	}
	b.advance(codeRetry + time.Minute)
	if err := h.codes.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused("after the code was used")
}

// Whoever guesses gets five attempts, also with many guesses at a time. After that the
// right code is refused too.
func TestGuessedCode(t *testing.T) {
	b := newBed(t)
	code := b.fullCode("k1")
	other := b.fullCode("k2")
	c := b.codes()
	var mu sync.Mutex
	outcomes := map[error]int{}
	var guesses sync.WaitGroup
	for range 20 {
		guesses.Go(func() {
			for range 50 {
				err := c.redeem(t.Context(), "k1", est.Secret("AAAAAAAA"), "key")
				mu.Lock()
				outcomes[err]++
				mu.Unlock()
			}
		})
	}
	guesses.Wait()
	if outcomes[errWrongCode] != codeAttempts || outcomes[errCodeLocked] != 1000-codeAttempts {
		t.Errorf("1,000 guesses: %v", outcomes)
	}
	if err := c.redeem(t.Context(), "k1", code.Secret, "key"); err != errCodeLocked {
		t.Errorf("the right code: %v", err)
	}
	if err := c.redeem(t.Context(), "k2", other.Secret, "key"); err != nil {
		t.Errorf("another kiosk's code: %v", err)
	}
	// A new code for the kiosk works.
	if err := c.redeem(t.Context(), "k1", b.fullCode("k1").Secret, "key"); err != nil {
		t.Errorf("a new code: %v", err)
	}
}

// What a code is worth at which time.
func TestCodeStates(t *testing.T) {
	b := newBed(t)
	c := b.codes()
	wrong := est.Secret("AAAAAAAA")
	for name, tt := range map[string]struct {
		before func(secret est.Secret)
		key    string
		want   error
	}{
		"fresh":                      {func(est.Secret) {}, "a", nil},
		"after four wrong attempts":  {func(est.Secret) { b.guess(c, wrong, codeAttempts-1) }, "a", nil},
		"after five wrong attempts":  {func(est.Secret) { b.guess(c, wrong, codeAttempts) }, "a", errCodeLocked},
		"a minute before its end":    {func(est.Secret) { b.advance(codeLife - time.Minute) }, "a", nil},
		"at its end":                 {func(est.Secret) { b.advance(codeLife) }, "a", errCodeExpired},
		"used for this key":          {func(s est.Secret) { _ = c.redeem(b.t.Context(), "k1", s, "a") }, "a", nil},
		"used for another key":       {func(s est.Secret) { _ = c.redeem(b.t.Context(), "k1", s, "a") }, "b", errCodeUsed},
		"used more than an hour ago": {func(s est.Secret) { _ = c.redeem(b.t.Context(), "k1", s, "a"); b.advance(codeRetry + time.Minute) }, "a", errCodeUsed},
		"checked only":               {func(s est.Secret) { _ = c.redeem(b.t.Context(), "k1", s, "") }, "a", nil},
		"replaced by a newer one":    {func(est.Secret) { b.fullCode("k1") }, "a", errWrongCode},
		"revoked":                    {func(est.Secret) { _ = c.kv.Delete(b.t.Context(), "k1") }, "a", errWrongCode},
	} {
		secret := b.fullCode("k1").Secret
		tt.before(secret)
		if err := c.redeem(t.Context(), "k1", secret, tt.key); err != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// The store has no secret in plain.
	secret := b.fullCode("k1").Secret
	found, err := c.kv.Get(t.Context(), "k1")
	if err != nil || bytes.Contains(found.Value(), secret) {
		t.Errorf("%s, %v", found.Value(), err)
	}
}

func (b *bed) guess(c *codes, wrong est.Secret, times int) {
	for range times {
		_ = c.redeem(b.t.Context(), "k1", wrong, "a")
	}
}

// A removed kiosk can enrol again with a new key, but not with the old one, which the thief
// may have.
func TestRemovedKeyCannotEnrol(t *testing.T) {
	b := newBed(t)
	h, url := b.servingHub()
	k1 := b.kiosk(url, "k1")
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	if err := b.registry().remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	code := b.openFor(h, "k1")
	ca, err := est.CA(t.Context(), url, code)
	if err != nil {
		t.Fatal(err)
	}
	_, err = est.Enrol(t.Context(), url, ca, code, requestFor(t, id, k1.key))
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != http.StatusForbidden || p.Detail != errBarred.Error() {
		t.Errorf("with the key of before: %v", err)
	}
	// The mistake used up the code for that key only for an hour, and another code works.
	code = b.openFor(h, "k1")
	if _, err := est.Enrol(t.Context(), url, ca, code, requestFor(t, id, mustKey(t))); err != nil {
		t.Errorf("with a new key: %v", err)
	}
}

// curl and openssl are an EST client.
func TestForeignESTClient(t *testing.T) {
	b := newBed(t)
	h, url := b.servingHub()
	code := b.openFor(h, "k1")
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	// Without -k the client would not trust the hub's CA yet; it checks the pin by hand.
	run("curl", "-sSfk", url+est.PathCACerts, "-o", "ca.b64")
	run("openssl", "base64", "-d", "-in", "ca.b64", "-out", "ca.p7")
	run("openssl", "pkcs7", "-inform", "DER", "-in", "ca.p7", "-print_certs", "-out", "ca.pem")
	ca, _, err := readCertificate(filepath.Join(b.dir, caFile))
	if err != nil {
		t.Fatal(err)
	}
	run("openssl", "verify", "-CAfile", "ca.pem", filepath.Join(b.dir, serverFile))
	run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k1.key", "-subj", "/CN=k1", "-outform", "DER", "-out", "k1.csr")
	run("openssl", "base64", "-in", "k1.csr", "-out", "k1.b64")
	enrol := func(from, user, out string) []string {
		return []string{"-sSf", "--cacert", "ca.pem", "-u", user, "-H", "Content-Type: application/pkcs10", "-H", "Content-Transfer-Encoding: base64", "--data-binary", "@" + from, url + est.PathSimpleEnroll, "-o", out}
	}
	run("curl", enrol("k1.b64", fmt.Sprintf("k1:%s", string(code.Secret)), "cert.b64")...)
	run("openssl", "base64", "-d", "-in", "cert.b64", "-out", "cert.p7")
	run("openssl", "pkcs7", "-inform", "DER", "-in", "cert.p7", "-print_certs", "-out", "cert.pem")
	run("openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "cert.pem")
	if names := run("openssl", "x509", "-in", "cert.pem", "-noout", "-ext", "subjectAltName"); !strings.Contains(names, "URI:urn:smartkiosk:kiosk:k1") {
		t.Errorf("the certificate has %s", names)
	}
	// It renews over mutual TLS.
	run("curl", "-sSf", "--cacert", "ca.pem", "--cert", "cert.pem", "--key", "k1.key", "-H", "Content-Type: application/pkcs10", "--data-binary", "@k1.b64", url+est.PathSimpleReenroll, "-o", "renewed.b64")
	text, err := os.ReadFile(filepath.Join(dir, "renewed.b64"))
	if err != nil {
		t.Fatal(err)
	}
	der, err := est.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := est.ReadCertsOnly(der)
	if err != nil || len(certs) != 1 || certs[0].CheckSignatureFrom(ca) != nil {
		t.Errorf("%v, %v", certs, err)
	}
}
