package est

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// issue makes a certificate for a key. Without an issuer it is that of a CA.
func issue(t *testing.T, of *x509.Certificate, by *ecdsa.PrivateKey, name string, key *ecdsa.PrivateKey, usage ...x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: usage, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if of == nil {
		of, tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage, tmpl.IPAddresses = tmpl, true, true, x509.KeyUsageCertSign, nil
	} else if u, err := url.Parse("urn:smartkiosk:" + name); err == nil {
		tmpl.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, of, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// fakeHub is a hub's EST server that answers as a test says.
type fakeHub struct {
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	base    string
	answer  []*x509.Certificate
	status  int
	body    string // instead of the certificates
	request *http.Request
	sent    string
}

func newFakeHub(t *testing.T, auth tls.ClientAuthType) *fakeHub {
	h := &fakeHub{caKey: newKey(t), status: http.StatusOK}
	h.ca = issue(t, nil, h.caKey, "CA", h.caKey)
	serverKey := newKey(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.request, h.sent = r, string(body)
		text := []byte(h.body)
		if h.body == "" {
			der, err := CertsOnly(h.answer...)
			if err != nil {
				t.Error(err)
			}
			text = Encode(der)
		}
		if h.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(h.status)
		_, _ = w.Write(text)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(h.ca)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{issue(t, h.ca, h.caKey, "hub", serverKey, x509.ExtKeyUsageServerAuth).Raw}, PrivateKey: serverKey}},
		ClientCAs:    pool, ClientAuth: auth,
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	h.base = server.URL
	return h
}

// The CA is accepted if the code pins it, wherever it is in the answer. The secret stays
// here until then.
func TestFetchCA(t *testing.T) {
	h := newFakeHub(t, tls.NoClientCert)
	code, err := NewCode("k1", h.ca, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherKey := newKey(t)
	other := issue(t, nil, otherKey, "CA", otherKey)
	leaf := issue(t, h.ca, h.caKey, "kiosk:k1", otherKey)
	pinsLeaf, err := NewCode("k1", leaf, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		answer []*x509.Certificate
		code   Code
		right  bool
	}{
		"alone": {[]*x509.Certificate{h.ca}, code, true}, "the second": {[]*x509.Certificate{other, h.ca}, code, true},
		"another": {[]*x509.Certificate{other}, code, false}, "no CA": {[]*x509.Certificate{leaf}, pinsLeaf, false},
	} {
		h.answer = tt.answer
		ca, err := CA(t.Context(), h.base, tt.code)
		if tt.right && (err != nil || !ca.Equal(h.ca)) || !tt.right && (!errors.Is(err, ErrWrongCA) || ca != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, sent := h.request.BasicAuth(); sent || h.request.Method != http.MethodGet || h.request.URL.Path != PathCACerts {
			t.Errorf("%s: %s %s, with a secret: %v", name, h.request.Method, h.request.URL, sent)
		}
	}
	h.status = http.StatusServiceUnavailable
	if _, err := CA(t.Context(), h.base, code); err == nil || errors.Is(err, ErrWrongCA) {
		t.Errorf("status 503: %v", err)
	}
}

func TestEnrol(t *testing.T) {
	h := newFakeHub(t, tls.NoClientCert)
	code, err := NewCode("k1", h.ca, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, otherKey := newKey(t), newKey(t)
	otherCA := issue(t, nil, otherKey, "CA", otherKey)
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	request := request(t, id, key)
	right := issue(t, h.ca, h.caKey, "kiosk:k1", key)
	for name, tt := range map[string]struct {
		answer *x509.Certificate
		want   string
	}{
		"right":          {right, ""},
		"another kiosk":  {issue(t, h.ca, h.caKey, "kiosk:k2", key), "a certificate of urn:smartkiosk:kiosk:k2"},
		"another role":   {issue(t, h.ca, h.caKey, "consumer:k1", key), "a certificate of urn:smartkiosk:consumer:k1"},
		"no identity":    {issue(t, h.ca, h.caKey, "x", key), "the hub answered with a certificate of"},
		"another key":    {issue(t, h.ca, h.caKey, "kiosk:k1", otherKey), "another key"},
		"another issuer": {issue(t, otherCA, otherKey, "kiosk:k1", key), "cannot use the new certificate"},
	} {
		h.answer = []*x509.Certificate{tt.answer}
		cert, err := Enrol(t.Context(), h.base, h.ca, code, request)
		if tt.want == "" && (err != nil || !cert.Equal(right)) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	kiosk, secret, _ := h.request.BasicAuth()
	der, err := Decode([]byte(h.sent))
	if h.request.Method != http.MethodPost || h.request.URL.Path != PathSimpleEnroll || kiosk != "k1" || secret != string(code.Secret) ||
		h.request.Header.Get("Content-Type") != MediaRequest || h.request.Header.Get("Content-Transfer-Encoding") != "base64" || err != nil || !slices.Equal(der, request) {
		t.Errorf("it sent %s %s as %s with %v: %v", h.request.Method, h.request.URL, kiosk, h.request.Header, err)
	}

	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"refused":      {http.StatusForbidden, "x", "HTTP status 403"},
		"redirected":   {http.StatusFound, "x", "302"},
		"no base64":    {http.StatusOK, "!", "cannot enrol at"},
		"no PKCS #7":   {http.StatusOK, "QUJD", "cannot enrol at"},
		"nothing":      {http.StatusOK, " ", "cannot enrol at"},
		"not finished": {http.StatusAccepted, "x", "202"},
	} {
		h.status, h.body = tt.status, tt.body
		if cert, err := Enrol(t.Context(), h.base, h.ca, code, request); err == nil || !strings.Contains(err.Error(), tt.want) || cert != nil {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	h.request = nil
	if _, err := Enrol(t.Context(), h.base, h.ca, code, request[1:]); err == nil || h.request != nil {
		t.Errorf("a request that cannot be read: %v", err)
	}
	if _, err := Enrol(t.Context(), h.base, otherCA, code, request); err == nil || h.request != nil {
		t.Errorf("the hub of another CA: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Enrol(stopped, h.base, h.ca, code, request); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := Enrol(t.Context(), "https://a b", h.ca, code, request); err == nil {
		t.Error("a URL with a space")
	}
}

// Renew uses the present certificate, and accepts one of the same identity, CA and use.
func TestRenew(t *testing.T) {
	h := newFakeHub(t, tls.RequireAndVerifyClientCert)
	key, otherKey := newKey(t), newKey(t)
	otherCA := issue(t, nil, otherKey, "CA", otherKey)
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	present := issue(t, h.ca, h.caKey, "kiosk:k1", key, x509.ExtKeyUsageClientAuth)
	credentials := &hubapi.Credentials{Identity: id, TLS: trusting(h.ca)}
	credentials.TLS.Certificates = []tls.Certificate{{Certificate: [][]byte{present.Raw}, PrivateKey: key}}
	for name, tt := range map[string]struct {
		answer *x509.Certificate
		right  bool
	}{
		"right":          {present, true},
		"for a server":   {issue(t, h.ca, h.caKey, "kiosk:k1", key, x509.ExtKeyUsageServerAuth), false},
		"another kiosk":  {issue(t, h.ca, h.caKey, "kiosk:k2", key, x509.ExtKeyUsageClientAuth), false},
		"another issuer": {issue(t, otherCA, otherKey, "kiosk:k1", key, x509.ExtKeyUsageClientAuth), false},
	} {
		h.answer = []*x509.Certificate{tt.answer}
		cert, err := Renew(t.Context(), h.base, credentials, request(t, id, key))
		if (err == nil) != tt.right || tt.right != (cert != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, sent := h.request.BasicAuth(); sent || h.request.URL.Path != PathSimpleReenroll || len(h.request.TLS.PeerCertificates) != 1 {
		t.Errorf("it sent %s, with a secret: %v", h.request.URL, sent)
	}
	code, err := NewCode("k1", h.ca, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.request = nil
	if _, err := Enrol(t.Context(), h.base, h.ca, code, request(t, id, key)); !errors.Is(err, ErrClosed) || h.request != nil {
		t.Errorf("a hub without an open code: %v", err)
	}
}

func TestWipedSecret(t *testing.T) {
	code := testCode(t)
	code.Secret.Wipe()
	if strings.Trim(string(code.Secret), "\x00") != "" || len(code.Secret) != secretLetters {
		t.Errorf("left %q", string(code.Secret))
	}
}
