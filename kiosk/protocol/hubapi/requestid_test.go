package hubapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each request has an id of its own, which its retries share, and which its error names.
func TestRequestID(t *testing.T) {
	var ids []string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids = append(ids, r.Header.Get(RequestHeader))
		if len(ids) == 1 {
			w.Header().Set("Retry-After", "0")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	c := NewClient(srv.URL, srv.Client().Transport.(*http.Transport).TLSClientConfig)
	_, first := c.Challenge(t.Context())
	_, second := c.Challenge(t.Context())
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] || !ValidRequestID(ids[0]) {
		t.Fatalf("the hub got the ids %q", ids)
	}
	if RequestID(first) != ids[1] || RequestID(second) != ids[2] {
		t.Errorf("the errors name %q and %q, want %q", RequestID(first), RequestID(second), ids[1:])
	}
	if _, ok := errors.AsType[*Problem](first); !ok {
		t.Errorf("%v is not a problem", first)
	}
	srv.Close()
	if _, err := c.Challenge(t.Context()); RequestID(err) == "" {
		t.Errorf("the error of a hub that is not there names no request: %v", err)
	}
	if RequestID(errors.New("another")) != "" || RequestID(nil) != "" {
		t.Error("an error without a request has an id")
	}
	for _, text := range []string{"", "a b", "a\nlevel=ERROR", "ø", strings.Repeat("a", 65)} {
		if ValidRequestID(text) {
			t.Errorf("%q is an id", text)
		}
	}
}
