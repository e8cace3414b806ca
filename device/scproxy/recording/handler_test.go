package recording

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHandler switches a recorder on and off, and sends what is refused.
func TestHandler(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.txt")
	recorder := New(path, silent)
	for _, c := range []struct {
		recorder     *Recorder
		method, body string
		status       int
		want         string
	}{
		{nil, "GET", "", 404, "names no file: set scproxy.record"},
		{nil, "PUT", `{"on":true}`, 404, "names no file"},
		{recorder, "GET", "", 200, `{"on":false,"file":"` + path + `"}`},
		{recorder, "PUT", "", 400, `the body must be`},
		{recorder, "PUT", "{}", 400, `the body must be`},
		{recorder, "PUT", `{"on":"yes"}`, 400, `the body must be`},
		{recorder, "DELETE", "", 405, "only GET and PUT"},
		{recorder, "PUT", `{"on":true}`, 200, `{"on":true,"until":"2`},
		{recorder, "PUT", `{"on":true}`, 409, "already recording until"},
		{recorder, "PUT", `{"on":false}`, 200, `{"on":false`},
		{recorder, "PUT", `{"on":false}`, 200, `{"on":false`},
		{New(filepath.Join(path, "below a file"), silent), "PUT", `{"on":true}`, 500, "cannot start recording"},
	} {
		w := httptest.NewRecorder()
		Handler(c.recorder).ServeHTTP(w, httptest.NewRequest(c.method, "/v1/scproxy/record", strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.body, w.Code, w.Body, c.status, c.want)
		}
		if c.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, PUT" {
			t.Errorf("Allow: %q", w.Header().Get("Allow"))
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
