package hub

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// page begins a login on the hosted page.
func (p *phones) beginPage() hubapi.Login {
	p.t.Helper()
	l, err := p.kiosk.BeginPageLogin(p.t.Context(), "visit-1", "en")
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// browse logs a person in as the kiosk's browser does, and returns the callback's query.
func (p *phones) browse(l hubapi.Login, person string) (query string) {
	p.t.Helper()
	b := p.phone()
	b.get(l.Address).choose(person)
	callback, query, _ := strings.Cut(b.at, "?")
	if callback != l.Callback {
		p.t.Fatalf("the broker sends the browser to %s, want %s", b.at, l.Callback)
	}
	return query
}

func (p *phones) answer(l hubapi.Login, query string) hubapi.Login {
	p.t.Helper()
	l, err := p.kiosk.AnswerLogin(p.t.Context(), l.ID, query)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func TestLoginOnHostedPage(t *testing.T) {
	p := newPhones(t)
	l := p.beginPage()
	if l.State != kiosk.PhoneOpened || !l.Sandbox || l.Link != "" || l.Callback != p.pages.URL+"/callback" || !strings.HasPrefix(l.Address, p.broker.Issuer) {
		t.Fatalf("began as %+v", l)
	}
	query := p.browse(l, "kari")
	got := p.answer(l, query)
	want := kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Prøve", Domain: "standin"}
	if got.State != kiosk.PhoneEnded || got.Outcome != kiosk.Granted || got.Holder != want || got.ValidFor == 0 || !got.Sandbox || got.Address != "" {
		t.Errorf("ended as %+v", got)
	}
	if again := p.answer(l, query); again.Outcome != kiosk.Granted {
		t.Errorf("the same answer again: %+v", again)
	}
}

// Each way in which a login on the hosted page can end.
func TestEndsOfHostedLogins(t *testing.T) {
	down := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
	for name, row := range map[string]struct {
		outcome kiosk.Outcome
		reason  kiosk.Reason
		do      func(p *phones) hubapi.Login
	}{
		"the person gives up": {kiosk.Cancelled, kiosk.LoginCancelled, func(p *phones) hubapi.Login { l := p.beginPage(); return p.answer(l, p.browse(l, "")) }},
		"the broker is down at the beginning": {kiosk.Failed, kiosk.BrokerDown, func(p *phones) hubapi.Login {
			p.broker.Intercept = down
			return p.beginPage()
		}},
		"the broker is down at the end": {kiosk.Failed, kiosk.BrokerDown, func(p *phones) hubapi.Login {
			l := p.beginPage()
			query := p.browse(l, "kari")
			p.broker.Intercept = down
			return p.answer(l, query)
		}},
		"too late": {kiosk.TimedOut, kiosk.LoginExpired, func(p *phones) hubapi.Login {
			l := p.beginPage()
			query := p.browse(l, "kari")
			p.advance(5 * time.Minute)
			return p.answer(l, query)
		}},
		"the next login of the kiosk": {kiosk.Cancelled, kiosk.LoginCancelled, func(p *phones) hubapi.Login {
			l := p.beginPage()
			query := p.browse(l, "kari")
			p.begin()
			return p.answer(l, query)
		}},
		"cancelled by the kiosk": {kiosk.Cancelled, kiosk.LoginCancelled, func(p *phones) hubapi.Login {
			l := p.beginPage()
			query := p.browse(l, "kari")
			if err := p.kiosk.CancelLogin(p.t.Context(), l.ID); err != nil {
				p.t.Error(err)
			}
			return p.answer(l, query)
		}},
		"an answer to another login": {kiosk.Denied, kiosk.LoginState, func(p *phones) hubapi.Login {
			query := p.browse(p.beginPage(), "kari")
			return p.answer(p.beginPage(), query)
		}},
		"an answer without a state":  {kiosk.Denied, kiosk.LoginState, func(p *phones) hubapi.Login { return p.answer(p.beginPage(), "code=c") }},
		"an answer that is no query": {kiosk.Denied, kiosk.LoginState, func(p *phones) hubapi.Login { return p.answer(p.beginPage(), "%zz") }},
		"a guessed code": {kiosk.Denied, kiosk.LoginState, func(p *phones) hubapi.Login {
			l := p.beginPage()
			query, _ := url.ParseQuery(p.browse(l, "kari"))
			query.Set("code", "guessed")
			return p.answer(l, query.Encode())
		}},
		"a token for somebody else": {kiosk.Denied, kiosk.LoginToken, func(p *phones) hubapi.Login {
			p.broker.Claims = func(c map[string]any) { c["aud"] = "other" }
			l := p.beginPage()
			return p.answer(l, p.browse(l, "kari"))
		}},
		"the rules deny": {kiosk.Denied, kiosk.RuleDenied, func(p *phones) hubapi.Login {
			rules := "default = \"allow\"\n[[rule]]\nname = \"not-kari\"\naction = \"deny\"\nsubjects = [\"UN:NO-9578-4050-900000001\"]\n"
			if err := os.WriteFile(filepath.Join(p.dir, rulesFile), []byte(rules), 0o600); err != nil {
				p.t.Fatal(err)
			}
			p.kiosk = p.party(p.serve(), filepath.Join(p.dir, kiosksDir, "k1"), "kiosk")
			l := p.beginPage()
			return p.answer(l, p.browse(l, "kari"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := row.do(newPhones(t)); got.State != kiosk.PhoneEnded || got.Outcome != row.outcome || got.Reason != row.reason || got.Outcome != kiosk.Denied && got.Holder != (kiosk.Holder{}) {
				t.Errorf("ended as %+v; want %s, %s", got, row.outcome, row.reason)
			}
		})
	}
}

// Another kiosk, a phone, and the digits have nothing to do with a login on the page.
func TestHostedLoginIsTheKiosksOwn(t *testing.T) {
	p := newPhones(t)
	l := p.beginPage()
	query := p.browse(l, "kari")
	other := p.bed.kiosk(p.kiosk.url, "k2")
	if _, err := other.AnswerLogin(t.Context(), l.ID, query); err == nil {
		t.Error("another kiosk hands in the answer")
	}
	p.phone().get(l.Callback + "?" + query).shows("does not belong")
	if now := p.typeDigits(l, "0000"); now.State != kiosk.PhoneOpened {
		t.Errorf("digits change it: %+v", now)
	}
	byPhone := p.begin() // which ends the login on the page
	if now, err := p.kiosk.AnswerLogin(t.Context(), byPhone.ID, query); err != nil || now.State != kiosk.PhoneWaiting {
		t.Errorf("an answer for a login by phone: %+v, %v", now, err)
	}
}
