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
// during a visit, that a card for a waiting page begins no visit, and that no port is
// open while scproxy is not enabled.
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
	if _, err := fmt.Fprint(f, "\n[scproxy]\nenabled = true\nrecord = \"login.txt\"\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	kiosk = s.startKiosk(p)
	welcome := p.sees("welcome")
	page := newLoginPage(t, filepath.Join(filepath.Dir(s.config), "state/scproxy.crt"))

	// A page that waits for a card gets it without a visit.
	if answer := page.post("list/", "{}"); !strings.Contains(answer, `"cardstatus":303`) {
		t.Errorf("without a card: %s", answer)
	}
	remove := s.insert("valid")
	p.sees("card-in-use")
	if answer := page.selectMF(); !strings.Contains(answer, `{"apdu":"9000"}`) {
		t.Errorf("for a page that waits: %s", answer)
	}
	page.post("disconnect/", `{"session":"0123456789abcdef"}`)
	p.sees("remove-card")
	remove()
	p.sees("welcome")

	// A card that is in before the page asks for it: the visit yields it.
	remove = s.insert("valid")
	p.sees("pin")
	if answer := page.post("list/", "{}"); !strings.Contains(answer, `"cardstatus":302`) {
		t.Errorf("for a card that is in a visit: %s", answer)
	}
	p.sees("card-in-use")
	if answer := page.selectMF(); !strings.Contains(answer, `{"apdu":"9000"}`) {
		t.Errorf("after a visit has yielded: %s", answer)
	}
	page.post("disconnect/", `{"session":"0123456789abcdef"}`)
	p.sees("remove-card")
	remove()
	p.sees("welcome")

	// While a person types the PIN no page gets the card.
	remove = s.insert("valid")
	p.sees("pin")
	p.presses("1")
	p.awaits("a digit", func(f frame) bool { return f.Entry == 1 })
	if answer := page.post("list/", "{}"); !strings.Contains(answer, `"cardstatus":304`) {
		t.Errorf("list during a visit: %s", answer)
	}
	if answer := page.selectMF(); !strings.HasPrefix(answer, "503 ") {
		t.Errorf("during a visit: %s", answer)
	}
	p.presses("*")
	p.presses("*")
	p.presses("#")
	p.sees("cancelled")
	p.sees("remove-card")
	if answer := page.selectMF(); !strings.Contains(answer, `{"apdu":"9000"}`) {
		t.Errorf("after the visit: %s", answer)
	}
	p.sees("card-in-use")
	remove()
	p.sees("welcome")

	// The panel shows that login pages are recorded, until the recording ends. It
	// does not survive a restart.
	record := func(setting ...string) string {
		return must(t, "kioskctl", append([]string{"scproxy", "record", "--from", s.bundle("state/kioskd.sock")}, setting...)...)
	}
	record("on")
	p.awaits("welcome, recorded", func(f frame) bool { return f.Name == "welcome" && f.Text != welcome.Text })
	page.post("list/", "{}")
	remove = s.insert("valid")
	p.awaits("card in use, recorded", func(f frame) bool { return f.Name == "card-in-use" && strings.Contains(f.Text, "tas opp") })
	page.selectMF()
	kiosk.stop()
	if text, err := os.ReadFile(s.bundle("login.txt")); err != nil || !strings.Contains(string(text), "> 00 A4 00 00 02 3F 00  # SELECT\n< 90 00\n") {
		t.Errorf("%v\n%s", err, text)
	}
	remove()
	s.startKiosk(p)
	p.awaits("welcome, not recorded", func(f frame) bool { return f.Name == "welcome" && f.Text == welcome.Text })
	if answer := record(); !strings.HasPrefix(answer, "Login pages are not recorded.") {
		t.Error(answer)
	}
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
	return l.post("apdu/"+strings.ReplaceAll(pcsctest.Reader, " ", "%20"),
		`{"timeout":10,"session":"0123456789abcdef","apducommands":[{"apdu":"00A40000023F00"}]}`)
}

// post sends a request and returns the status and the body of the answer.
func (l *loginPage) post(path, body string) string {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, "https://"+scproxy.Address+"/scard/"+path, strings.NewReader(body))
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
