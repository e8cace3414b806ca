package panel

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	guarded := Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	for _, tt := range []struct {
		name, method, host, from string
		headers                  string
		want                     int
	}{
		{"a browser here", "GET", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: none", 200},
		{"by address", "GET", "127.0.0.1:8080", "127.0.0.1:1", "", 200},
		{"another loopback address", "GET", "127.8.9.1", "127.8.9.1:1", "", 200},
		{"by IPv6", "GET", "[::1]:8080", "[::1]:1", "", 200},
		{"by IPv6 without a port", "GET", "[::1]", "[::1]:1", "", 200},
		{"IPv4 in IPv6", "GET", "localhost", "[::ffff:127.0.0.1]:1", "", 200},
		{"the page itself posts", "POST", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: same-origin", 200},
		{"an old browser's page posts", "POST", "localhost:8080", "127.0.0.1:1", "Origin: http://localhost:8080", 200},
		{"no browser posts", "POST", "localhost:8080", "127.0.0.1:1", "", 200},
		{"a link on a foreign page", "GET", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate", 200},

		{"another machine", "GET", "localhost:8080", "192.0.2.7:1", "", 403},
		{"a name that points here", "GET", "rebind.example:8080", "127.0.0.1:1", "Sec-Fetch-Site: same-origin", 403},
		{"a name that begins like ours", "GET", "localhost.example", "127.0.0.1:1", "", 403},
		{"a name that ends like ours", "GET", "127.0.0.1.example:80", "127.0.0.1:1", "", 403},
		{"another machine's address", "GET", "192.0.2.7:8080", "127.0.0.1:1", "", 403},
		{"every address", "GET", "0.0.0.0:8080", "127.0.0.1:1", "", 403},
		{"no host", "GET", "", "127.0.0.1:1", "", 403},
		{"a foreign page reads", "GET", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: cors", 403},
		{"another port's page reads", "GET", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: no-cors", 403},
		{"a foreign page posts", "POST", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: cross-site", 403},
		{"a foreign page's form", "POST", "localhost:8080", "127.0.0.1:1", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate", 403},
		{"an old browser's foreign page", "POST", "localhost:8080", "127.0.0.1:1", "Origin: https://evil.example", 403},
		{"another port's page", "POST", "localhost:8080", "127.0.0.1:1", "Origin: http://localhost:9090", 403},
		{"a sandboxed frame", "POST", "localhost:8080", "127.0.0.1:1", "Origin: null", 403},
	} {
		r := httptest.NewRequest(tt.method, "http://localhost/panel/", nil)
		r.Host, r.RemoteAddr = tt.host, tt.from
		for _, header := range strings.Split(tt.headers, "|") {
			if name, value, ok := strings.Cut(header, ": "); ok {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy":      contentPolicy,
			"Cache-Control":                "no-store",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", tt.name, name, got)
			}
		}
	}
	if strings.Contains(contentPolicy, "unsafe") || !strings.HasPrefix(contentPolicy, "default-src 'none'") {
		t.Errorf("the policy is loose: %s", contentPolicy)
	}
}
