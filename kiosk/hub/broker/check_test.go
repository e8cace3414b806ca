package broker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/hub/broker"
)

// hubPages answers as the hub's pages do, or with another status.
type hubPages int

func (p hubPages) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(int(p))
	return w.Result(), nil
}

func TestCheck(t *testing.T) {
	for name, row := range map[string]struct {
		failed string // the check that fails, "" for none
		advice string
		pages  hubPages
		change func(*scene)
	}{
		"all is well":           {pages: 403},
		"the domain is unknown": {"domain", "domain in the broker's portal", 403, at("/.well-known/openid-configuration", 404, jsonMedia, "{}")},
		"no keys":               {"broker's keys", "ask the broker", 403, at("/jwks", 200, jsonMedia, `{"keys":[]}`)},
		"keys are HTML":         {"broker's keys", "ask the broker", 403, at("/jwks", 200, "text/html", "<html>")},
		"the hub's clock":       {"clock", "set the hub's clock", 403, func(s *scene) { s.now = s.now.Add(30 * time.Second) }},
		"a scope is not offered": {"what the broker offers", "ask the broker to enable", 403, func(s *scene) {
			s.provider.Discovery = func(d map[string]any) { d["scopes_supported"] = []string{"openid"} }
		}},
		"the key is not registered": {"client, keys and permissions", "kioskhub broker keys test", 403, func(s *scene) {
			s.provider.ClientKeys.Keys = nil
		}},
		"the redirect URL is not registered": {"client, keys and permissions", "compare client_id", 403, func(s *scene) { s.provider.RedirectURL = "https://other.example/callback" }},
		"another server at the redirect URL": {failed: "redirect URL", advice: "check DNS", pages: 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			if row.change != nil {
				row.change(s)
			}
			checks := s.start().Check(t.Context(), row.pages)
			var failed []broker.Check
			for _, c := range checks {
				if c.State == broker.CheckFailed {
					failed = append(failed, c)
				}
				if c.Name == "" || c.Found == "" || c.State != broker.CheckOK && c.State != broker.CheckNotRun && c.Advice == "" {
					t.Errorf("incomplete: %+v", c)
				}
			}
			switch {
			case row.failed == "" && len(failed) > 0:
				t.Errorf("failed: %+v", failed)
			case row.failed != "" && (len(failed) != 1 || failed[0].Name != row.failed || !strings.Contains(failed[0].Advice, row.advice)):
				t.Errorf("failed: %+v; want %s, with advice … %s", failed, row.failed, row.advice)
			}
		})
	}
}
