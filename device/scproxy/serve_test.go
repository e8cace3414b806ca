package scproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve runs a service over TLS and returns a page in a browser that trusts the
// service's certificate.
func serve(t *testing.T, s *Service, session string) page {
	t.Helper()
	dir := t.TempDir()
	certificate, err := Certificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, certificate) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	trusted, err := os.ReadFile(filepath.Join(dir, "scproxy.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(browser.CloseIdleConnections)
	return page{t, origin, session, readerName, func(origin, path, body string) (int, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+l.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		response, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, answer
	}}
}

// TestServe logs in over TLS. The service releases the card when it ends.
func TestServe(t *testing.T) {
	service, s, _ := newService(t)
	t.Run("login", func(t *testing.T) {
		p := serve(t, service, "s1")
		if status, _ := p.post("https://evil.example", "/scard/version/", ""); status != http.StatusForbidden {
			t.Errorf("another page: %d", status)
		}
		login(t, p)
	})
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatalf("the card is not released: %v", err)
	}
	conn.Close()
}

// TestServeLogsNothingPersonal: the log of a login contains no PIN and no data of the
// card.
func TestServeLogsNothingPersonal(t *testing.T) {
	_, s, _ := newService(t)
	var log bytes.Buffer
	service := New(s, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	p := newPage(t, service, "s1")
	login(t, p)
	p.post(origin, apduPath(readerName), p.body("A020008208 31323334FFFFFFFF"))
	p.post(origin, apduPath(readerName), `{"session":"s1","apducommands":[{"apdu":"31323334zz"}]}`)
	service.Close()
	if got := log.String(); !strings.Contains(got, "scproxy session opened") || strings.Contains(got, "1234") || strings.Contains(got, "3132") {
		t.Errorf("logged:\n%s", got)
	}
}

func TestServeRefusesOtherAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = New(noReader{}, slog.New(slog.DiscardHandler)).Serve(t.Context(), l, tls.Certificate{})
	if err == nil || !strings.HasSuffix(err.Error(), "not a loopback address") {
		t.Error(err)
	}
}
