package apihttp_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// TestPackedBodies checks that the limit counts decompressed bytes, and that a body that
// cannot be decompressed is refused.
func TestPackedBodies(t *testing.T) {
	pack := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	whole := pack(`["a"]`)
	for name, tt := range map[string]struct {
		encoding, body string
		want           string
		status         int
	}{
		"plain":     {"", `["a"]`, `["a"]`, 0},
		"packed":    {"gzip", whole, `["a"]`, 0},
		"bomb":      {"gzip", pack(strings.Repeat(" ", 100_000)), "", http.StatusRequestEntityTooLarge},
		"cut short": {"gzip", whole[:len(whole)-3], "", http.StatusBadRequest},
		"not gzip":  {"gzip", `["a"]`, "", http.StatusBadRequest},
		"brotli":    {"br", whole, "", http.StatusUnsupportedMediaType},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", hubapi.MediaEvents)
		if tt.encoding != "" {
			r.Header.Set("Content-Encoding", tt.encoding)
		}
		body, err := apihttp.ReadBody(r, hubapi.MediaEvents, 1000)
		p, _ := errors.AsType[*hubapi.Problem](err)
		if string(body) != tt.want || (p == nil) != (tt.status == 0) || p != nil && p.Status != tt.status {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}
