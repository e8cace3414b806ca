package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/scproxy"
)

// TestLoginPage checks that a login page reaches the card through scproxy, except
// during a visit, and that no port is open while scproxy is not enabled.
func TestLoginPage(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	if _, err := http.Get("https://" + scproxy.Address); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("scproxy is not enabled, but: %v", err)
	}
	kiosk.stop()

	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(f, "\n[scproxy]\nenabled = true\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	s.startKiosk(p)
	p.sees("welcome")
	page := newLoginPage(t, filepath.Join(filepath.Dir(s.config), "state/scproxy.crt"))

	remove := s.insert("valid")
	p.sees("pin")
	if answer := page.selectMF(); strings.Contains(answer, "9000") {
		t.Errorf("during a visit: %s", answer)
	}
	p.presses("*")
	p.presses("#")
	p.sees("cancelled")
	p.sees("remove-card")
	if answer := page.selectMF(); !strings.Contains(answer, `{"apdu":"9000"}`) {
		t.Errorf("after the visit: %s", answer)
	}
	remove()
	p.sees("welcome")
}

// loginPage stands in for a login page of Buypass.
type loginPage struct {
	t      *testing.T
	client http.Client
}

func newLoginPage(t *testing.T, certificate string) *loginPage {
	t.Helper()
	pem, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	return &loginPage{t, http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}
}

// selectMF sends SELECT MF to the card and returns the service's answer.
func (l *loginPage) selectMF() string {
	l.t.Helper()
	body := `{"timeout":10,"session":"0123456789abcdef","apducommands":[{"apdu":"00A40000023F00"}]}`
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost,
		"https://"+scproxy.Address+"/scard/apdu/"+strings.ReplaceAll(pcsctest.Reader, " ", "%20"), strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Origin", "https://secure.buypass.no")
	r.Header.Set("Content-Type", "application/json")
	w, err := l.client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return w.Status + " " + string(answer)
}
