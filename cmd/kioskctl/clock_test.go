//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestClock checks that clock shows each time and its purpose, and that --set sends a
// time to kioskd.
func TestClock(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kioskd.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var put string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			body, _ := io.ReadAll(r.Body)
			put = string(body)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = io.WriteString(w, `{"now":"2026-11-22T12:00:00Z","at":"2026-11-22T13:00:00Z","tls":"2026-11-22T13:00:00Z",`+
			`"remembered":"2026-11-22T13:00:00Z","behind":true,"hub":"2026-11-22T13:00:00Z"}`)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()

	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &out}
		err := p.run(t.Context(), append([]string{"clock", "--from", socket}, args...))
		return out.String(), err
	}
	out, err := run()
	if err != nil || !strings.Contains(out, "machine's clock  2026-11-22T12:00:00Z  not trusted") || !strings.Contains(out, "hub              2026-11-22T13:00:00Z") || strings.Contains(out, "signed") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run("--set", "2026-11-22T12:30:00Z"); err != nil || put != `{"time":"2026-11-22T12:30:00Z"}` {
		t.Errorf("sent %s, %v", put, err)
	}
	if _, err := run("--set", "noon"); err == nil || !strings.Contains(err.Error(), `--set "noon" is not now`) {
		t.Error(err)
	}
	socket += ".missing"
	if _, err := run(); err == nil || !strings.Contains(err.Error(), "cannot read the clock of "+socket) {
		t.Error(err)
	}
}
