package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/protocol/webeid"
)

// responder runs OpenSSL's OCSP responder. It reports for one certificate a status in the
// form of OpenSSL's index: V (valid) or R (revoked).
func responder(t *testing.T, dir string) (url string, answer func(cert *x509.Certificate, status string)) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "request"), request, 0o600)
		}
		if err != nil {
			t.Error(err)
			return
		}
		c := exec.Command("openssl", "ocsp", "-index", "index.txt", "-CA", "person-ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key",
			"-nmin", "10", "-reqin", "request", "-respout", "response")
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("openssl: %v\n%s", err, out)
		}
		http.ServeFile(w, r, filepath.Join(dir, "response"))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func(cert *x509.Certificate, status string) {
		revoked := ""
		if status == "R" {
			revoked = "250101000000Z"
		}
		serial := fmt.Sprintf("%X", cert.SerialNumber)
		if len(serial)%2 == 1 {
			serial = "0" + serial
		}
		line := fmt.Sprintf("%s\t%s\t%s\t%s\tunknown\t/CN=holder\n", status, cert.NotAfter.UTC().Format("060102150405Z"), revoked, serial)
		if err := os.WriteFile(filepath.Join(dir, "index.txt"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// With --ocsp the command asks the responder that the certificate names, and no other.
func TestExplainAsksTheResponder(t *testing.T) {
	const origin, nonce = "https://hub.example", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	now := time.Now()
	pki, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "pki")
	if err := pki.Write(dir); err != nil {
		t.Fatal(err)
	}
	url, answer := responder(t, dir)
	template := testpki.Authentication(pki.Holders["valid"].Person, now.AddDate(0, -1, 0), now.AddDate(1, 0, 0))
	template.OCSPServer = []string{url}
	key := pki.Holders["valid"].Authentication.Key
	cert, err := pki.Issue(template, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	token, err := webeid.Sign(key, cert.Raw, origin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "token.json")
	if err := os.WriteFile(name, token, 0o600); err != nil {
		t.Fatal(err)
	}
	other := pki.Holders["revoked"].Authentication.Certificate
	for _, tt := range []struct {
		about      *x509.Certificate
		status     string
		want, says string
	}{
		{cert, "V", "ok", "responder that the certificate names was to be asked"},
		{cert, "R", "revoked", "the responder said so at"},
		{other, "V", "revocation-unknown", "does not know the certificate"},
	} {
		answer(tt.about, tt.status)
		var out strings.Builder
		err := run(t.Context(), &out, "explain", "--ocsp", "--anchors", filepath.Join(dir, "root.pem")+","+filepath.Join(dir, "person-ca.pem"),
			"--policy", testpki.PolicySmartCard.String(), "--origin", origin, "--nonce", nonce, name)
		first, rest, _ := strings.Cut(out.String(), "\n")
		if first != tt.want || !strings.Contains(rest, tt.says) || errors.Is(err, cli.ErrNo) != (tt.want != "ok") {
			t.Errorf("%s: %v\n%s", tt.want, err, &out)
		}
	}
}

// An intermediate CA in --anchors is limited by what the CA above it may issue. It does not
// become an anchor because the list names it.
func TestExplainHoldsCAsToThoseAbove(t *testing.T) {
	const origin, nonce = "https://hub.example", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	now := time.Now()
	pki, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	// This CA is below one whose path length is 0.
	caKey := pki.Holders["expired"].Authentication.Key
	ca, err := pki.Issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA below"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, caKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	key := pki.Holders["valid"].Authentication.Key
	template := testpki.Authentication(pki.Holders["valid"].Person, now.AddDate(0, -1, 0), now.AddDate(1, 0, 0))
	template.SerialNumber = big.NewInt(1)
	template.SignatureAlgorithm = x509.SHA256WithRSA
	cert, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	token, err := webeid.Sign(key, cert, origin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"root": pki.Root.Raw, "person-ca": pki.PersonCA.Raw, "below": ca.Raw, "token": token} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for anchors, want := range map[string]string{
		"root,person-ca,below": "not-trusted",
		"person-ca,below":      "not-trusted",
		"root,below":           "ok", // the issuer is missing from the list
		"below":                "ok",
	} {
		var out strings.Builder
		err := run(t.Context(), &out, "explain", "--anchors", anchors, "--policy", testpki.PolicySmartCard.String(), "--origin", origin, "--nonce", nonce, "token")
		if err != nil && !errors.Is(err, cli.ErrNo) {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(out.String(), "\n"); first != want {
			t.Errorf("%s: want %s, got\n%s", anchors, want, &out)
		}
	}
}
