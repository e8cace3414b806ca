package hub

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
)

// The hub answers every request of a kiosk or consumer as the OpenAPI document says, and
// never with an internal error.
func FuzzRequests(f *testing.F) {
	b := newBed(f)
	handler := b.open().Handler()
	_, router := document(f)
	as := map[hubapi.Role]*tls.ConnectionState{}
	for _, role := range []hubapi.Role{hubapi.RoleKiosk, hubapi.RoleConsumer} {
		id := hubapi.Identity{Role: role, Name: "a"}
		cert, _ := b.issue(id)
		b.register(id, cert, true)
		as[role] = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	}
	calls := []struct {
		role                hubapi.Role
		method, path, media string
	}{
		{hubapi.RoleKiosk, "POST", "/v1/authentications", "application/json"},
		{hubapi.RoleKiosk, "POST", "/v1/events", hubapi.MediaEvents},
		{hubapi.RoleConsumer, "POST", "/v1/feed/a/ack", "application/json"},
		{hubapi.RoleConsumer, "GET", "/v1/feed/a", ""},
	}
	for i, seed := range []string{
		`{"visit":"v","nonce":"AAAA","token":{"format":"web-eid:1.0"}}`,
		`[{"specversion":"1.0","id":"x"}]`,
		`{"cursor":"18446744073709551616"}`,
		`-1`,
		`{"cursor":"-0"}`, `{"cursor":"0.1"}`, `[[]]`, `{"visit":1}`, "\x00", `{"visit":"v","nonce":"","token":`,
	} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, input string) {
		c := calls[int(which)%len(calls)]
		r := httptest.NewRequestWithContext(t.Context(), c.method, "https://hub"+c.path, strings.NewReader(input))
		if c.media == "" {
			r.Body = http.NoBody
			query := r.URL.Query()
			query.Set("max", input)
			r.URL.RawQuery = query.Encode()
		}
		r.Header.Set("Content-Type", c.media)
		r.TLS = as[c.role]
		w := httptest.NewRecorder()
		againstDocument(t, router, handler).ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s with %q is answered with %d: %s", c.method, c.path, input, w.Code, w.Body)
		}
	})
}
