package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"

	"smartkiosk/device/browser"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker/brokertest"
)

// hostedHost is a host whose pages the card service serves.
const hostedHost = "secure.standin.buypass.no"

// standIn is the broker, at the hub's address for it and at the browser's.
type standIn struct {
	*brokertest.Provider
	toHub     *httptest.Server
	toBrowser *httptest.Server
	steps     chan string

	mu     sync.Mutex
	broken func(http.ResponseWriter, *http.Request) bool
}

func newStandIn(t *testing.T) *standIn {
	b := &standIn{Provider: brokertest.New(), steps: make(chan string, 100)}
	b.toHub, b.toBrowser = httptest.NewServer(b), httptest.NewTLSServer(b)
	t.Cleanup(b.toHub.Close)
	t.Cleanup(b.toBrowser.Close)
	b.Issuer, b.ClientID, b.RedirectURL = b.toHub.URL, "smartkiosk", "https://hub.example/callback"
	b.Persons = []brokertest.Person{{Key: "kari", Name: "Kari Prøve", BuypassID: "900000001"}}
	b.Card = "kari"
	b.Step = func(at string) { b.steps <- at }
	b.Discovery = func(d map[string]any) { d["authorization_endpoint"] = "https://" + hostedHost + "/auth" }
	b.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		b.mu.Lock()
		broken := b.broken
		b.mu.Unlock()
		return broken != nil && broken(w, r)
	}
	return b
}

// breaks makes the broker answer requests for a path with h; "" repairs it.
func (b *standIn) breaks(path string, h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = func(w http.ResponseWriter, r *http.Request) bool {
		if path == "" || r.URL.Path != path {
			return false
		}
		h(w, r)
		return true
	}
}

// shows waits until the page is at a step.
func (b *standIn) shows(t *testing.T, step string) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case now := <-b.steps:
			if now == step {
				return
			}
		case <-limit:
			t.Fatalf("the page does not come to %q", step)
		}
	}
}

// configure makes the hub and the kiosk use the stand-in.
func (b *standIn) configure(t *testing.T, s *site) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k", Use: "sig", Algorithm: "ES256"}
	b.ClientKeys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub.example"}, DNSNames: []string{"hub.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"standin.jwks": keys,
		"public.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"public.key":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"brokers.toml": fmt.Appendf(nil, "[public]\nlisten = %q\nurl = \"https://hub.example\"\ncertificate = \"public.pem\"\nkey = \"public.key\"\n"+
			"[groups]\n\"*\" = \"standin\"\n[brokers.standin]\nenvironment = \"sandbox\"\npreset = \"buypass\"\nissuer = %q\nclient_id = \"smartkiosk\"\nkeys = \"standin.jwks\"\n",
			freePort(t), b.Issuer),
	} {
		if err := os.WriteFile(s.path("hub/"+name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "\n[scproxy]\nenabled = true\n[display]\ndriver = \"browser\"\norigins = [\"https://%s\", \"https://hub.example\"]\n", hostedHost); err != nil {
		t.Fatal(err)
	}
}

// chromium is a headless Chromium that finds the stand-in at a public address.
func (b *standIn) chromium() []string {
	address := b.toBrowser.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	sum := sha256.Sum256(b.toBrowser.Certificate().RawSubjectPublicKeyInfo)
	return []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1024,600",
		"--host-resolver-rules=MAP " + hostedHost + " " + address,
		"--ip-address-space-overrides=127.0.0.1:" + port + "=public",
		"--ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(sum[:]),
	}
}

// TestHostedLogin logs in on the broker's page in a Chromium that kioskd controls, with a
// card in the reader of a real pcscd: granted, given up, wrong PIN, card pulled, and a
// broker that is down or slow.
func TestHostedLogin(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	b := newStandIn(t)
	b.configure(t, s)
	s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	kiosk.await("nobody can log in on hosted pages")
	if f := p.sees("welcome"); strings.Contains(f.Text, ": 2.") {
		t.Errorf("offered without a policy: %+v", f)
	}
	kiosk.stop()
	installPolicy(t, must(t, "kioskctl", "browser-policy", "--config", s.config))
	s.startKiosk(p)
	window := spawn(t, "kioskd", append([]string{"browser", "--panel", "http://" + s.panel + "/", "--profiles", t.TempDir(), "--"}, b.chromium()...)...)
	defer window.stop()
	v := hostedVisits{t, s, b, p}
	v.offered()

	// The PIN is typed on the kiosk's keypad, the first time wrong.
	v.begin()
	b.shows(t, "card")
	remove := s.insert("valid")
	b.shows(t, "pin")
	p.keys("9999#")
	b.shows(t, "wrong")
	p.keys("1299**34#")
	if f := p.sees("granted"); !strings.Contains(f.Heading+f.Text, "TEST") {
		t.Errorf("a login of a sandbox is not marked: %+v", f)
	}
	p.sees("remove-card")
	remove()
	v.offered()

	// The person gives up: with *, and on the page.
	v.begin()
	b.shows(t, "card")
	p.keys("**")
	p.sees("cancelled")
	v.offered()
	v.begin()
	b.shows(t, "card")
	v.chooses("cancel")
	p.presses("#")
	p.sees("cancelled")
	v.offered()

	// The card is pulled while the page has it.
	v.begin()
	b.shows(t, "card")
	remove = s.insert("valid")
	b.shows(t, "pin")
	p.keys("12")
	remove()
	v.offered()

	// The broker is down for the hub, for the browser, and at the end.
	down := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) }
	b.breaks("/par", down)
	p.presses("2")
	p.sees("failed")
	v.offered()
	b.breaks("/auth", down)
	p.presses("2")
	p.sees("failed")
	v.offered()
	b.breaks("/token", func(_ http.ResponseWriter, r *http.Request) { // slow
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not see that the hub has gone
		<-r.Context().Done()
	})
	v.begin()
	b.shows(t, "card")
	remove = s.insert("valid")
	b.shows(t, "pin")
	p.keys("1234#")
	p.sees("failed")
	remove()
	v.offered()
	b.breaks("", nil)

	// A visit with the card as always.
	remove = s.insert("valid")
	p.types("1234#")
	p.sees("granted")
	remove()
	p.sees("welcome")
	v.recorded()
}

// hostedVisits are the visits of TestHostedLogin.
type hostedVisits struct {
	t *testing.T
	*site
	broker *standIn
	*person
}

// offered waits until the kiosk offers a login on the hosted page.
func (v hostedVisits) offered() {
	v.t.Helper()
	v.awaits("the offer of a hosted page", func(f frame) bool { return f.Name == "welcome" && strings.Contains(f.Text, ": 2.") })
}

func (v hostedVisits) begin() {
	v.t.Helper()
	v.presses("2")
	v.sees("hosted")
}

// chooses presses the key for Tab until the page's button has the focus. Keys that come
// before the page does go nowhere.
func (v hostedVisits) chooses(button string) {
	v.t.Helper()
	for range 100 {
		v.presses("L")
		select {
		case now := <-v.broker.steps:
			if now == button {
				return
			}
		case <-time.After(500 * time.Millisecond):
		}
	}
	v.t.Fatalf("the button %q does not get the focus", button)
}

// keys presses keys one after the other.
func (p *person) keys(keys string) {
	p.t.Helper()
	for _, k := range keys {
		p.presses(string(k))
	}
}

// recorded checks the outcomes that a backend gets.
func (v hostedVisits) recorded() {
	v.t.Helper()
	want := []struct {
		outcome kiosk.Outcome
		reason  kiosk.Reason
	}{
		{kiosk.Granted, ""}, {kiosk.Cancelled, kiosk.ByHolder}, {kiosk.Cancelled, kiosk.LoginCancelled}, {kiosk.Cancelled, kiosk.CardRemoved},
		{kiosk.Failed, kiosk.BrokerDown}, {kiosk.Failed, kiosk.BrokerDown}, {kiosk.Failed, kiosk.BrokerDown}, {kiosk.Granted, ""},
	}
	i := 0
	for _, e := range v.pull(len(want)) {
		switch e.Type {
		case "smartkiosk.visit.v1":
			byPage := i < len(want)-1
			if e.Data.Outcome != want[i].outcome || e.Data.Reason != want[i].reason || (e.Data.Method == kiosk.ByPage) != byPage || e.Data.Sandbox != byPage || e.Data.Authenticated == byPage {
				v.t.Errorf("visit %d: %+v, want %+v", i, e.Data.Visit, want[i])
			}
			if i == 0 && (e.Data.Holder == nil || e.Data.Holder.ID != "UN:NO-9578-4050-900000001") {
				v.t.Errorf("the holder is %+v", e.Data.Holder)
			}
			i++
		case "smartkiosk.shown.v1":
			if e.Data.Door != (i == len(want)) {
				v.t.Errorf("visit %d: door %v", i-1, e.Data.Door)
			}
		}
	}
}

// installPolicy installs Chromium's policy in the namespace of the tests.
func installPolicy(t *testing.T, policy string) {
	t.Helper()
	if err := os.MkdirAll("/etc/chromium", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/etc/chromium", "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount("/etc/chromium", unix.MNT_DETACH) })
	if err := os.MkdirAll(filepath.Dir(browser.PolicyFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(browser.PolicyFile, []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
}
