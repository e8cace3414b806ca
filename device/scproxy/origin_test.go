package scproxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAllowed(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://secure.buypass.no":                      true,
		"https://secure.test4.buypass.no":                true,
		"https://secure.a-1.buypass.no":                  true,
		"":                                               false,
		"null":                                           false,
		"http://secure.buypass.no":                       false,
		"https://secure.buypass.no:8443":                 false,
		"https://secure.buypass.no/":                     false,
		"https://buypass.no":                             false,
		"https://www.buypass.no":                         false,
		"https://secure..buypass.no":                     false,
		"https://secure.a.b.buypass.no":                  false,
		"https://secure.evil.example/.buypass.no":        false,
		"https://secure.evil.example#.buypass.no":        false,
		"https://secure.evil@x.buypass.no":               false,
		"https://secure.-.buypass.no":                    false,
		"https://secure.buypass.no.evil.example":         false,
		"https://secure.evilbuypass.no":                  false,
		"https://secure.X.buypass.no":                    false, // browsers send lower case
		"https://secure.test4.buypass.no ":               false,
		"https://evil.example?https://secure.buypass.no": false,
	} {
		if allowed(origin) != want {
			t.Errorf("%q: %v", origin, !want)
		}
	}
}

func TestPreflight(t *testing.T) {
	h := guard(http.NotFoundHandler())
	ask := func(origin, host string, private bool) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodOptions, "https://"+host+"/scard/list/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		if private {
			r.Header.Set("Access-Control-Request-Private-Network", "true")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const origin = "https://secure.buypass.no"
	for _, private := range []bool{true, false} {
		w := ask(origin, "127.0.0.1:31505", private)
		want := map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "POST",
			"Access-Control-Allow-Headers": "Content-Type", "Vary": "Origin",
			"Access-Control-Allow-Private-Network": map[bool]string{true: "true"}[private],
		}
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("private %v: %s: %q, want %q", private, name, got, value)
			}
		}
		if w.Code != http.StatusOK {
			t.Errorf("private %v: %d", private, w.Code)
		}
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another page":     ask("https://evil.example", "127.0.0.1:31505", true),
		"a name for us":    ask(origin, "rebound.example:31505", true),
		"another address":  ask(origin, "192.0.2.1:31505", true),
		"no origin at all": ask("", "127.0.0.1:31505", true),
	} {
		if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d, %v", name, w.Code, w.Header())
		}
	}
}
