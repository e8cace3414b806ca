package hub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker/brokertest"
	"smartkiosk/kiosk/protocol/hubapi"
)

// phones is a bed whose hubs offer logins by phone through a stand-in.
type phones struct {
	*bed
	hub    *Hub
	kiosk  *party
	broker *brokertest.Provider
	pages  *httptest.Server // of another hub than the kiosk's
	trust  http.RoundTripper
}

func newPhones(t *testing.T) *phones {
	t.Helper()
	p := &phones{bed: newBed(t), broker: brokertest.New()}
	standIn := httptest.NewServer(p.broker)
	t.Cleanup(standIn.Close)
	p.pages = httptest.NewUnstartedServer(nil)
	pages := "https://" + p.pages.Listener.Addr().String()
	p.broker.Issuer, p.broker.ClientID, p.broker.RedirectURL = standIn.URL, "smartkiosk", pages+"/callback"
	p.broker.Persons = []brokertest.Person{{Key: "kari", Name: "Kari Prøve", BuypassID: "900000001"}}
	p.broker.Now = p.now
	p.broker.ClientKeys = writeBrokers(t, p.dir, pages, standIn.URL)
	url := p.serve()
	p.kiosk = p.bed.kiosk(url, "k1")
	p.hub = p.open()
	p.pages.Config.Handler = p.hub.Pages()
	p.pages.StartTLS()
	t.Cleanup(p.pages.Close)
	p.trust = p.pages.Client().Transport
	return p
}

// writeBrokers configures a sandbox and returns the public keys to register.
func writeBrokers(t testing.TB, dir, pages, issuer string) jose.JSONWebKeySet {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "k", Use: "sig", Algorithm: "ES256"}}}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf(`
[public]
listen = "127.0.0.1:0"
url = %q
certificate = "public.pem"
key = "public.key"
[groups]
"*" = "standin"
[places]
k1 = "the north gate"
[brokers.standin]
environment = "sandbox"
preset = "buypass"
issuer = %q
client_id = "smartkiosk"
keys = "standin.jwks"
`, pages, issuer)
	for name, content := range map[string][]byte{"brokers.toml": []byte(file), "standin.jwks": text} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{set.Keys[0].Public()}}
}

// phone is the browser of a person. It follows no redirect by itself.
type phone struct {
	t    *testing.T
	http *http.Client
	page string // the last one
	at   string // its address
	code int    // its status
}

func (p *phones) phone() *phone {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &phone{t: p.t.(*testing.T), http: &http.Client{Jar: jar, Transport: english{p.trust},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// english is a browser that prefers English.
type english struct{ http.RoundTripper }

func (e english) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept-Language", "en-GB,en;q=0.9")
	return e.RoundTripper.RoundTrip(r)
}

// link is the address of a login as a phone opens it.
func (p *phones) link(l hubapi.Login) string {
	return p.pages.URL + l.Link[strings.LastIndex(l.Link, "/"):]
}

func (p *phone) take(resp *http.Response, err error) *phone {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	p.page, p.code = html.UnescapeString(string(text)), resp.StatusCode
	if to, err := resp.Location(); err == nil {
		p.at = to.String()
	} else {
		p.at = resp.Request.URL.String()
	}
	return p
}

func (p *phone) get(address string) *phone { p.t.Helper(); return p.take(p.http.Get(address)) }

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// press presses a button of the page.
func (p *phone) press(do string) *phone {
	p.t.Helper()
	m := formToken.FindStringSubmatch(p.page)
	if m == nil {
		p.t.Fatalf("the page has no button:\n%s", p.page)
	}
	return p.take(p.http.PostForm(p.at, url.Values{"token": {m[1]}, "do": {do}, "language": {"en"}}))
}

// logIn does what a person does at the stand-in, and follows the callback to the page.
func (p *phone) logIn(person string) *phone {
	p.t.Helper()
	p.choose(person)
	p.get(p.at) // the callback
	return p.get(p.at)
}

// choose chooses a person at the stand-in, and leaves the callback's address in at.
func (p *phone) choose(person string) *phone {
	p.t.Helper()
	u, err := url.Parse(p.at)
	if err != nil {
		p.t.Fatal(err)
	}
	u.Path = "/login"
	return p.take(p.http.PostForm(u.String(), url.Values{"person": {person}}))
}

var shownDigits = regexp.MustCompile(`<span>([0-9])</span>`)

// digits returns the digits on the page; "" without digits.
func (p *phone) digits() (s string) {
	for _, m := range shownDigits.FindAllStringSubmatch(p.page, -1) {
		s += m[1]
	}
	return s
}

func (p *phone) shows(words string) {
	p.t.Helper()
	if !strings.Contains(p.page, words) {
		p.t.Errorf("the phone does not show %q, but (%d):\n%s", words, p.code, p.page)
	}
}

func (p *phones) begin() hubapi.Login {
	p.t.Helper()
	l, err := p.kiosk.BeginLogin(p.t.Context(), "visit-1", "en")
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *phones) state(l hubapi.Login) hubapi.Login {
	p.t.Helper()
	l, err := p.kiosk.WaitForLogin(p.t.Context(), l.ID, "", 0)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *phones) typeDigits(l hubapi.Login, digits string) hubapi.Login {
	p.t.Helper()
	l, err := p.kiosk.TypeDigits(p.t.Context(), l.ID, digits)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// wrong returns four digits other than these.
func wrong(digits string) string {
	if digits == "0000" {
		return "0001"
	}
	return "0000"
}

func TestLoginByPhone(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	if l.State != kiosk.PhoneWaiting || !l.Sandbox || l.Link != strings.ToUpper(l.Link) || l.ExpiresIn < 50 || l.ExpiresIn > 60 {
		t.Errorf("began as %+v", l)
	}
	her := p.phone().get(p.link(l))
	for _, words := range []string{"the north gate", "TEST", "Continue only if", `lang="en"`} {
		her.shows(words)
	}
	her.press("go").logIn("kari")
	her.shows("Type these digits")
	if strings.Contains(her.page, "Kari") || strings.Contains(her.page, "900000001") {
		t.Errorf("the page names the person:\n%s", her.page)
	}
	if l = p.state(l); l.State != kiosk.PhoneDigits || l.Holder != (kiosk.Holder{}) {
		t.Errorf("before the digits: %+v", l)
	}
	if l = p.typeDigits(l, wrong(her.digits())); l.State != kiosk.PhoneDigits || l.Wrong != 1 {
		t.Errorf("after a wrong entry: %+v", l)
	}
	digits := her.digits()
	l = p.typeDigits(l, digits)
	want := kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Prøve", Domain: "standin"}
	if l.State != kiosk.PhoneEnded || l.Outcome != kiosk.Granted || l.Holder != want || l.ValidFor == 0 || !l.Sandbox {
		t.Errorf("ended as %+v", l)
	}
	her.get(p.link(l)).shows("Look at the terminal")
	if again := p.typeDigits(l, digits); again.Outcome != kiosk.Granted || again.Wrong != 1 {
		t.Errorf("typed again: %+v", again)
	}
}

// The kiosk learns at once what happens on the phone.
func TestKioskWaitsForThePhone(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	her := p.phone().get(p.link(l))
	for _, step := range []struct {
		do   func()
		want kiosk.PhoneState
	}{
		{func() { her.press("go") }, kiosk.PhoneOpened},
		{func() { her.logIn("kari") }, kiosk.PhoneAnswering},
	} {
		got := make(chan hubapi.Login, 1)
		go func(since kiosk.PhoneState) {
			l, err := p.kiosk.WaitForLogin(t.Context(), l.ID, since, 30*time.Second)
			if err != nil {
				t.Error(err)
			}
			got <- l
		}(l.State)
		step.do()
		now := <-got
		if now.State != step.want && now.State != kiosk.PhoneDigits {
			t.Errorf("got %s, want %s", now.State, step.want)
		}
		l = now
	}
}

// Each way in which a login can end is shown on the phone, and the kiosk learns it.
func TestEndsOfLogins(t *testing.T) {
	started := func(p *phones, her *phone, l hubapi.Login) { her.get(p.link(l)).press("go") }
	answered := func(p *phones, her *phone, l hubapi.Login) { started(p, her, l); her.logIn("kari") }
	for name, row := range map[string]struct {
		outcome kiosk.Outcome
		reason  kiosk.Reason
		phone   string
		do      func(p *phones, her *phone, l hubapi.Login)
	}{
		"no phone comes": {kiosk.TimedOut, kiosk.LoginExpired, "Time ran out", func(p *phones, _ *phone, _ hubapi.Login) { p.advance(time.Minute) }},
		"the person stays at the broker": {kiosk.TimedOut, kiosk.LoginExpired, "Time ran out", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			p.advance(5 * time.Minute)
		}},
		"nobody types the digits": {kiosk.TimedOut, kiosk.LoginExpired, "Time ran out", func(p *phones, her *phone, l hubapi.Login) {
			answered(p, her, l)
			p.advance(time.Minute)
		}},
		"three times wrong": {kiosk.Denied, kiosk.LoginDigits, "three times", func(p *phones, her *phone, l hubapi.Login) {
			answered(p, her, l)
			digits := her.digits()
			for range 3 {
				p.typeDigits(l, wrong(digits))
			}
			if l := p.typeDigits(l, digits); l.Outcome == kiosk.Granted {
				p.t.Error("the right digits are accepted after three wrong ones")
			}
		}},
		"cancel on the phone before": {kiosk.Cancelled, kiosk.LoginCancelled, "cancelled", func(p *phones, her *phone, l hubapi.Login) { her.get(p.link(l)).press("cancel") }},
		"cancel on the phone": {kiosk.Cancelled, kiosk.LoginCancelled, "cancelled", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			her.get(p.link(l)).press("cancel")
		}},
		"cancel at the broker": {kiosk.Cancelled, kiosk.LoginCancelled, "cancelled", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			her.logIn("")
		}},
		"cancel on the kiosk": {kiosk.Cancelled, kiosk.LoginCancelled, "cancelled", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			if err := p.kiosk.CancelLogin(p.t.Context(), l.ID); err != nil {
				p.t.Error(err)
			}
		}},
		"the next login at the kiosk": {kiosk.Cancelled, kiosk.LoginCancelled, "cancelled", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			p.begin()
		}},
		"the broker is down at the beginning": {kiosk.Failed, kiosk.BrokerDown, "does not answer", func(p *phones, her *phone, l hubapi.Login) {
			p.broker.Intercept = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
			started(p, her, l)
		}},
		"the broker is down at the end": {kiosk.Failed, kiosk.BrokerDown, "does not answer", func(p *phones, her *phone, l hubapi.Login) {
			started(p, her, l)
			her.choose("kari")
			p.broker.Intercept = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
			her.get(her.at)
		}},
		"the broker answers for somebody else": {kiosk.Denied, kiosk.LoginToken, "went wrong", func(p *phones, her *phone, l hubapi.Login) {
			p.broker.Claims = func(c map[string]any) { c["aud"] = "other" }
			answered(p, her, l)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhones(t)
			l := p.begin()
			her := p.phone()
			row.do(p, her, l)
			if got := p.state(l); got.State != kiosk.PhoneEnded || got.Outcome != row.outcome || got.Reason != row.reason {
				t.Errorf("ended as %+v; want %s, %s", got, row.outcome, row.reason)
			}
			her.get(p.link(l)).shows(row.phone)
			if her.digits() != "" {
				t.Errorf("the phone still shows digits")
			}
		})
	}
}

// What a stranger's phone, a forwarded link or a forged callback can do: nothing.
func TestHostilePhones(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	preview := p.phone().get(p.link(l)) // opens the link first, but presses nothing
	her := p.phone().get(p.link(l)).press("go")
	at := her.at

	preview.get(p.link(l)).shows("Another phone")
	stranger := p.phone()
	stranger.get(p.link(l)).shows("Another phone")
	if stranger.page, stranger.at = `name="token" value="x"`, p.link(l); stranger.press("go").code != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", stranger.code)
	}
	if stranger.get(p.link(l)); stranger.digits() != "" {
		t.Error("a stranger sees digits")
	}
	state := strings.Repeat("A", 43)
	her.get(p.pages.URL + "/callback?code=c&state=" + state).shows("does not belong")
	if now := p.state(l); now.State != kiosk.PhoneOpened {
		t.Fatalf("a forged callback changes the login: %+v", now)
	}
	her.at = at
	her.choose("kari")
	callback := her.at
	stranger.get(callback).shows("does not belong")
	if now := p.state(l); now.State != kiosk.PhoneOpened {
		t.Fatalf("a stranger's callback changes the login: %+v", now)
	}
	her.get(callback)
	her.get(her.at)
	digits := her.digits()
	her.get(callback) // the back button
	if her.get(her.at); her.digits() != digits || len(digits) != 4 {
		t.Errorf("after the callback again the phone shows %q, want %q", her.digits(), digits)
	}
	her.get(p.link(l)) // a reload
	if her.digits() != digits {
		t.Errorf("after a reload the phone shows %q", her.digits())
	}

	other := p.bed.kiosk(p.kiosk.url, "k2")
	if _, err := other.TypeDigits(t.Context(), l.ID, digits); err == nil {
		t.Error("another kiosk may type the digits")
	}
	if err := other.CancelLogin(t.Context(), l.ID); err == nil {
		t.Error("another kiosk may end the login")
	}
	if got := p.typeDigits(l, digits); got.Outcome != kiosk.Granted {
		t.Errorf("the person herself: %+v", got)
	}
	for _, code := range []string{"/AAAAAA", "/aaaa", "/AAAAA0", "/callback", "/x/../y"} {
		if s := p.phone().get(p.pages.URL + code); s.code == http.StatusOK {
			t.Errorf("%s: status %d", code, s.code)
		}
	}
}

// Back at the broker with the address of before: the first answer counts, a second login
// in the same browser replaces the first flow.
func TestBeginAgainAtTheBroker(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	her := p.phone().get(p.link(l)).press("go")
	first := her.at
	her.get(p.link(l)).shows("Continue the login")
	her.press("go")
	second := her.at
	her.at = first
	her.choose("kari")
	her.get(her.at).shows("does not belong") // the flow of before
	her.at = second
	her.logIn("kari")
	if p.typeDigits(l, her.digits()).Outcome != kiosk.Granted {
		t.Error("the second flow is not accepted")
	}
}

// The operator's rules apply to a login as to a card.
func TestRulesApplyToLogins(t *testing.T) {
	p := newPhones(t)
	rules := "default = \"allow\"\n[[rule]]\nname = \"not-kari\"\naction = \"deny\"\nsubjects = [\"UN:NO-9578-4050-900000001\"]\n"
	if err := os.WriteFile(filepath.Join(p.dir, rulesFile), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	url := p.serve() // a hub with the new rules
	p.kiosk = p.party(url, filepath.Join(p.dir, kiosksDir, "k1"), "kiosk")
	l := p.begin()
	her := p.phone().get(p.link(l)).press("go").logIn("kari")
	got := p.typeDigits(l, her.digits())
	if got.Outcome != kiosk.Denied || got.Reason != kiosk.RuleDenied || got.Holder.ID == "" {
		t.Errorf("ended as %+v", got)
	}
	her.get(p.link(l)).shows("not let in")
}

// A kiosk that belongs to production by now gets no grant from a sandbox login.
func TestSandboxLoginAtProductionKiosk(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	her := p.phone().get(p.link(l)).press("go").logIn("kari")
	file := filepath.Join(p.dir, "brokers.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(`"sandbox"`, `"production"`, p.broker.Issuer, "https://broker.example").Replace(string(text))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	url := p.serve()
	p.kiosk = p.party(url, filepath.Join(p.dir, kiosksDir, "k1"), "kiosk")
	if got := p.typeDigits(l, her.digits()); got.Outcome != kiosk.Denied || got.Reason != kiosk.LoginSandbox {
		t.Errorf("ended as %+v", got)
	}
}

// The pages work without scripts, in each language, and allow nothing from elsewhere.
func TestPhonePages(t *testing.T) {
	p := newPhones(t)
	l := p.begin()
	for lang, words := range map[string]string{"nb": "Logg inn ved the north gate", "nn": "Hald fram berre", "se": "Sisalogge", "en": "Log in at"} {
		her := p.phone().get(p.link(l) + "?language=" + lang)
		her.shows(words)
		her.shows(`<html lang="` + lang + `">`)
		if strings.Contains(her.page, "<script") {
			t.Error("a page has a script")
		}
	}
	resp, err := p.phone().http.Get(p.link(l))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Set-Cookie": "HttpOnly; Secure; SameSite=Lax",
	} {
		if !strings.Contains(resp.Header.Get(name), want) {
			t.Errorf("%s is %q", name, resp.Header.Get(name))
		}
	}
	asked := p.phone().get(p.pages.URL + "/?code=" + strings.ToLower(l.Link[len(l.Link)-6:]))
	asked.get(asked.at).shows("the north gate")
}
