package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

// writeMerchant writes merchant.pem and merchant.key.
func writeMerchant(t testing.TB, dir, name string, key *ecdsa.PrivateKey, from, until time.Time) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"merchant.pem": {Type: "CERTIFICATE", Bytes: der}, "merchant.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func merchantKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// demanding makes the scene's broker ask for a client certificate. seen has the name in
// the last one.
func demanding(s *scene) (seen *string) {
	seen = new(string)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = r.TLS.PeerCertificates[0].Subject.CommonName
		s.provider.ServeHTTP(w, r)
	}))
	s.server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.server.StartTLS()
	s.t.Cleanup(s.server.Close)
	s.provider.Issuer, s.config.Issuer = s.server.URL, s.server.URL
	return seen
}

// A broker that asks for a client certificate gets the merchant certificate in use, also
// after it was replaced.
func TestMerchantCertificate(t *testing.T) {
	s := newScene(t)
	seen := demanding(s)
	dir := t.TempDir()
	year := func(n int) time.Time { return s.now.AddDate(n, 0, 0) }
	writeMerchant(t, dir, "first", merchantKey(t), s.now.Add(-time.Hour), year(1))
	s.config.CertificateFile, s.config.CertificateKeyFile = filepath.Join(dir, "merchant.pem"), filepath.Join(dir, "merchant.key")
	client := s.start()
	login := func(want string) {
		t.Helper()
		*seen = ""
		if _, _, err := client.Begin(t.Context(), "nb"); err != nil || *seen != want {
			t.Errorf("%v; the broker saw %q, want %q", err, *seen, want)
		}
	}
	login("first")
	if m := client.Merchant(); m == nil || m.Subject.CommonName != "first" {
		t.Errorf("in use: %v", m)
	}
	if changed, err := client.Reload(); changed || err != nil {
		t.Errorf("nothing changed: %v, %v", changed, err)
	}
	writeMerchant(t, dir, "second", merchantKey(t), s.now.Add(-time.Hour), year(2))
	if changed, err := client.Reload(); !changed || err != nil {
		t.Errorf("a new certificate: %v, %v", changed, err)
	}
	login("second")
	if err := os.WriteFile(filepath.Join(dir, "merchant.pem"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := client.Reload(); changed || err == nil {
		t.Errorf("a damaged certificate: %v, %v", changed, err)
	}
	login("second")
}

func TestWithoutMerchantCertificate(t *testing.T) {
	s := newScene(t)
	demanding(s)
	if _, _, err := s.start().Begin(t.Context(), "nb"); err == nil || !strings.HasPrefix(err.Error(), string(kiosk.BrokerDown)) {
		t.Errorf("got %v", err)
	}
}

func TestBadMerchantCertificates(t *testing.T) {
	for name, row := range map[string]struct {
		words  string
		change func(dir string, c *broker.Config)
	}{
		"no key":       {"one of them is missing", func(_ string, c *broker.Config) { c.CertificateKeyFile = "" }},
		"no file":      {"no such file", func(_ string, c *broker.Config) { c.CertificateFile += "x" }},
		"readable key": {"chmod 600", func(_ string, c *broker.Config) { _ = os.Chmod(c.CertificateKeyFile, 0o644) }},
		"no PEM":       {"failed to find", func(_ string, c *broker.Config) { _ = os.WriteFile(c.CertificateFile, []byte("x"), 0o600) }},
		"another key": {"does not match", func(dir string, c *broker.Config) {
			other := filepath.Join(dir, "other")
			_ = os.Mkdir(other, 0o700)
			writeMerchant(t, other, "other", merchantKey(t), time.Now(), time.Now().Add(time.Hour))
			c.CertificateKeyFile = filepath.Join(other, "merchant.key")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			dir := t.TempDir()
			writeMerchant(t, dir, "m", merchantKey(t), time.Now(), time.Now().Add(time.Hour))
			s.config.CertificateFile, s.config.CertificateKeyFile = filepath.Join(dir, "merchant.pem"), filepath.Join(dir, "merchant.key")
			row.change(dir, &s.config)
			if _, err := broker.New(s.config, "", outside()); err == nil || !strings.Contains(err.Error(), row.words) {
				t.Errorf("got %v, want … %s", err, row.words)
			}
		})
	}
}

// Sandbox and production share no merchant certificate, and no two of the same key.
func TestSharedMerchantCertificate(t *testing.T) {
	file := strings.NewReplacer(`"test/keys.jwks"`, "\"test/keys.jwks\"\ncertificate = \"test/merchant.pem\"\ncertificate_key = \"test/merchant.key\"",
		`"real/keys.jwks"`, "\"real/keys.jwks\"\ncertificate = \"real/merchant.pem\"\ncertificate_key = \"real/merchant.key\"").Replace(brokersFile)
	dir := brokersFolder(t, file)
	key, now := merchantKey(t), time.Now()
	writeMerchant(t, filepath.Join(dir, "test"), "m", key, now, now.Add(time.Hour))
	writeMerchant(t, filepath.Join(dir, "real"), "m", key, now, now.Add(2*time.Hour))
	if _, err := broker.Load(dir, outside()); err == nil || !strings.Contains(err.Error(), "share a key") {
		t.Errorf("got %v", err)
	}
	writeMerchant(t, filepath.Join(dir, "real"), "m", merchantKey(t), now, now.Add(time.Hour))
	if _, err := broker.Load(dir, outside()); err != nil {
		t.Error(err)
	}
}

func TestCheckMerchantCertificate(t *testing.T) {
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		from, until time.Duration
		state       broker.CheckState
		advice      string
	}{
		"valid":              {-day, 61 * day, broker.CheckOK, ""},
		"ends in two months": {-day, 59 * day, broker.CheckOK, "order the next one"},
		"ends soon":          {-day, 13 * day, broker.CheckFailed, "order the next one"},
		"has ended":          {-2 * day, -day, broker.CheckFailed, "order the next one"},
		"not yet valid":      {day, 61 * day, broker.CheckFailed, "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			dir := t.TempDir()
			writeMerchant(t, dir, "m", merchantKey(t), s.now.Add(row.from), s.now.Add(row.until))
			s.config.CertificateFile, s.config.CertificateKeyFile = filepath.Join(dir, "merchant.pem"), filepath.Join(dir, "merchant.key")
			for _, c := range s.start().Check(t.Context(), hubPages(403)) {
				if c.Name == "merchant certificate" && (c.State != row.state || !strings.Contains(c.Advice, row.advice) || (c.Advice == "") != (row.advice == "")) {
					t.Errorf("got %+v", c)
				}
			}
		})
	}
}
