package broker_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/broker/brokertest"
)

// restScene is one login at the stand-in for Signicat's REST API.
type restScene struct {
	t      testing.TB
	api    *brokertest.REST
	config broker.Config
	person string
	query  func(string) string
	cancel bool // the hub cancels before the person logs in
}

func newRESTScene(t testing.TB) *restScene {
	t.Helper()
	s := &restScene{t: t, api: brokertest.NewREST(), person: "kari"}
	server := httptest.NewServer(s.api)
	t.Cleanup(server.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.api.URL, s.api.ClientID, s.api.Secret, s.api.Provider, s.api.LOA = server.URL, "api-client", "s3cret", "buypass", "high"
	s.api.Persons = []brokertest.Person{{Key: "kari", Name: "Kari Prøve", BuypassID: "900000001"}}
	s.config = broker.Config{
		Name: "rest", Environment: broker.Sandbox, Preset: "signicat-rest", API: server.URL, ClientID: "api-client", SecretFile: secret,
		RedirectURL: redirect, Providers: []string{"buypass"}, LOA: "substantial", SubjectClaim: "idpId", SubjectForm: broker.FormBuypass,
	}
	return s
}

func (s *restScene) run() (broker.Person, error) {
	s.t.Helper()
	client, err := broker.New(s.config, "", broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		s.t.Fatal(err)
	}
	flow, address, err := client.Begin(s.t.Context(), "nb")
	if err != nil {
		return broker.Person{}, err
	}
	if s.cancel {
		if err := client.Cancel(s.t.Context(), flow); err != nil {
			s.t.Fatal(err)
		}
		if got := s.api.Status(flow.State); got != "CANCELLED" {
			s.t.Errorf("after a cancel the session's status is %v", got)
		}
	}
	query := "sessionId=" + flow.State
	if !s.cancel {
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := browser.Get(address + "&person=" + s.person)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		_, query, _ = strings.Cut(resp.Header.Get("Location"), "?")
	}
	if s.query != nil {
		query = s.query(query)
	}
	in, err := broker.ReadCallback(query)
	if err != nil {
		return broker.Person{}, err
	}
	return client.Finish(s.t.Context(), flow, in)
}

// member sets a member of the session; nil deletes it.
func member(name string, value any) func(*restScene) {
	return func(s *restScene) {
		s.api.Session = func(m map[string]any) {
			if m["status"] != "CREATED" { // only what is read after the login
				set(m, name, value)
			}
		}
	}
}

func TestRESTLogin(t *testing.T) {
	s := newRESTScene(t)
	s.api.Persons[0].Extra = map[string]any{"nin": map[string]any{"value": "15507600333"}, "firstName": "Kari", "newMember": 1}
	got, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	if want := (kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Prøve", Domain: "rest"}); got.Holder != want {
		t.Errorf("got %+v, want %+v", got.Holder, want)
	}
}

func TestBadSessions(t *testing.T) {
	status := func(s string) func(*restScene) { return member("status", s) }
	answer := func(path string, code int, media, body string) func(*restScene) {
		return func(s *restScene) {
			s.api.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, path) {
					return false
				}
				w.Header().Set("Content-Type", media)
				w.WriteHeader(code)
				_, _ = w.Write([]byte(body))
				return true
			}
		}
	}
	const read = "/auth/rest/sessions/"
	for _, row := range []struct {
		name   string
		want   kiosk.Reason
		words  string
		change func(*restScene)
	}{
		{"the person gives up", kiosk.LoginCancelled, "ABORT", func(s *restScene) { s.person = "" }},
		{"the hub cancels", kiosk.LoginCancelled, "CANCELLED", func(s *restScene) { s.cancel = true }},
		{"EXPIRED", kiosk.LoginExpired, "EXPIRED", status("EXPIRED")},
		{"ERROR", kiosk.BrokerDown, "ERROR", status("ERROR")},
		{"INVALID", kiosk.LoginRefused, "INVALID", status("INVALID")},
		{"WAITING_FOR_USER", kiosk.LoginState, "before the login ended", status("WAITING_FOR_USER")},
		{"CREATED", kiosk.LoginState, "before the login ended", status("CREATED")},
		{"unknown status", kiosk.BrokerAnswer, "unknown status", status("DONE")},
		{"no status", kiosk.BrokerAnswer, "unknown status", member("status", nil)},
		{"another session's callback", kiosk.LoginState, "state", func(s *restScene) { s.query = func(string) string { return "sessionId=other" } }},
		{"no sessionId", kiosk.LoginState, "no state", func(s *restScene) { s.query = func(string) string { return "" } }},
		{"sessionId twice", kiosk.LoginState, "more than once", func(s *restScene) { s.query = func(q string) string { return q + "&" + q } }},
		{"another session's answer", kiosk.LoginState, "another session", member("id", "other")},
		{"another reference", kiosk.LoginState, "externalReference", member("externalReference", "other")},
		{"another eID", kiosk.LoginLevel, "provider", member("provider", "password")},
		{"a level too low", kiosk.LoginLevel, "below substantial", member("loa", "low")},
		{"no level", kiosk.LoginLevel, "below substantial", member("loa", nil)},
		{"unknown level", kiosk.LoginLevel, "below substantial", member("loa", "highest")},
		{"no subject", kiosk.BrokerAnswer, "not a JSON object", member("subject", nil)},
		{"no identifier", kiosk.LoginSubject, "no claim", member("subject", map[string]any{"name": "Kari Prøve"})},
		{"identifier is a national identity number", kiosk.LoginSubject, "national identity number", member("subject", map[string]any{"idpId": "15507600333"})},
		{"id that is a path", kiosk.BrokerAnswer, "cannot be read", member("id", "../x")},
		{"HTML", kiosk.BrokerAnswer, "HTML", answer(read, 200, "text/html", "<html>")},
		{"a list", kiosk.BrokerAnswer, "cannot be read", answer(read, 200, jsonMedia, "[]")},
		{"1 MB", kiosk.BrokerAnswer, "more than", answer(read, 200, jsonMedia, strings.Repeat(" ", 1<<20))},
		{"503", kiosk.BrokerDown, "503", answer(read, 503, jsonMedia, "{}")},
		{"429", kiosk.BrokerDown, "429", answer(read, 429, jsonMedia, "{}")},
		{"404", kiosk.LoginState, "404", answer(read, 404, jsonMedia, "{}")},
		{"403", kiosk.LoginRefused, "403 missing-permission", answer(read, 403, jsonMedia, `{"code":"missing-permission","detail":"Kari"}`)},
		{"400 with an unknown code", kiosk.LoginRefused, "without a code", answer(read, 400, jsonMedia, `{"code":"Kari Prøve"}`)},
		{"wrong secret", kiosk.LoginRefused, "invalid_client", func(s *restScene) { s.api.Secret = "other" }},
		{"address without TLS", kiosk.BrokerAnswer, "not an https URL", func(s *restScene) {
			s.api.Session = func(m map[string]any) { m["authenticationUrl"] = "http://broker.example/" }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newRESTScene(t)
			row.change(s)
			got, err := s.run()
			refusal, ok := errors.AsType[*broker.Refusal](err)
			if !ok || refusal.Reason != row.want || !strings.Contains(err.Error(), row.words) {
				t.Errorf("got %v, %v; want %s: … %s", got.Holder, err, row.want, row.words)
			}
			if got.Holder != (kiosk.Holder{}) || err != nil && strings.Contains(err.Error(), "Kari") {
				t.Errorf("refused, yet names %+v: %v", got.Holder, err)
			}
		})
	}
}
