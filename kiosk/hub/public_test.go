package hub

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// The listener for phones needs no client certificate, takes a renewed certificate without
// a restart, and reaches no operation of the hub. The end of its certificate is in an alarm
// and in the metrics.
func TestServesPhones(t *testing.T) {
	b := newBed(t)
	writeBrokers(t, b.dir, "https://127.0.0.1:1", "https://broker.example")
	ca, err := newAuthority("phones", time.Now().Add(-8*365*24*time.Hour)) // its certificates end within weeks or ended
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, at time.Time) {
		key := mustKey(t)
		der, err := ca.server(key.Public(), at, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if err := writeCertificate(filepath.Join(b.dir, name+".pem"), der); err != nil {
			t.Fatal(err)
		}
		if err := writeKey(filepath.Join(b.dir, name+".key"), key); err != nil {
			t.Fatal(err)
		}
	}
	issue("public", time.Now().Add(-20*365*24*time.Hour))
	issue("merchant", time.Now().Add(-20*365*24*time.Hour))
	brokers, err := os.OpenFile(filepath.Join(b.dir, "brokers.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.Close()
	if _, err := brokers.WriteString("certificate = \"merchant.pem\"\ncertificate_key = \"merchant.key\"\n"); err != nil {
		t.Fatal(err)
	}
	h := b.open()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.ServePublic(ctx, ln) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	get := func(path string) (*http.Response, string) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+ln.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp, resp.TLS.PeerCertificates[0].NotAfter.Format(time.DateOnly)
	}
	page, before := get("/")
	if page.StatusCode != http.StatusOK {
		t.Errorf("status %d", page.StatusCode)
	}
	for _, path := range []string{"/v1/kiosk", "/v1/challenges", "/v1/logins", "/metrics", "/healthz", "/.well-known/est/cacerts"} {
		if resp, _ := get(path); resp.StatusCode == http.StatusOK {
			t.Errorf("phones reach %s", path)
		}
	}
	issue("public", time.Now())
	if _, after := get("/"); after == before {
		t.Errorf("the certificate is still the one until %s", before)
	}

	consumer := b.consumer(b.serve(), "office")
	var events []json.RawMessage
	for cursor := hubapi.Beginning; len(events) < 2; {
		more, next, err := consumer.Pull(t.Context(), "office", hubapi.Pull{After: cursor, Max: 10, Wait: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		events, cursor = append(events, more...), next
	}
	if !strings.Contains(fmt.Sprintf("%s", events), "merchant certificate for broker standin ends on "+before) {
		t.Errorf("no alarm about the merchant certificate: %s", events)
	}
	if len(events) == 0 || !strings.Contains(string(events[0]), `"certificate"`) || !strings.Contains(string(events[0]), before) {
		t.Errorf("got the events %s, want an alarm about the certificate until %s", events, before)
	}
	w := httptest.NewRecorder()
	if err := h.metricsAnswer(w, httptest.NewRequest(http.MethodGet, "/metrics", nil), caller{}); err != nil {
		t.Fatal(err)
	}
	for _, figure := range []string{"smartkiosk_hub_phone_certificate_not_after_timestamp_seconds ", `smartkiosk_hub_merchant_certificate_not_after_timestamp_seconds{broker="standin"} `} {
		if !strings.Contains(w.Body.String(), "\n"+figure) {
			t.Errorf("the metrics do not have %s", figure)
		}
	}
}
