package hub

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// scrape returns what a client gets from /metrics.
func (p *party) scrape(url string) (status int, text string) {
	p.t.Helper()
	resp, text := p.get(url + "/metrics")
	return resp.StatusCode, text
}

// An operator sees verdicts, times, the store and the consumers, and no holder.
func TestMetrics(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office, watch := b.kiosk(url, "k1"), b.consumer(url, "office"), b.operator(url, "watch")
	for range 2 {
		nonce := k1.nonce()
		if v := k1.verdict(t.Context(), nonce, token(t, "valid", nonce)); !v.Granted {
			t.Fatalf("got %+v", v)
		}
	}
	k1.verdict(t.Context(), ownNonce, token(t, "valid", ownNonce))
	k1.send(k1.events(1), 1)
	office.ack(office.pulled(10, "k1/1"))
	k1.send(k1.events(1), 2)

	status, text := watch.scrape(url)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	for _, line := range []string{
		`smartkiosk_hub_verdicts_total{reason="",verdict="granted"} 2`,
		`smartkiosk_hub_verdicts_total{reason="nonce-unknown",verdict="denied"} 1`,
		`smartkiosk_hub_request_seconds_count{code="200",operation="POST /v1/authentications"} 3`,
		"smartkiosk_hub_store_up 1",
		"smartkiosk_hub_stream_messages 2",
		`smartkiosk_hub_consumer_lag_messages{consumer="office"} 1`,
		`smartkiosk_hub_kiosk_last_seen_timestamp_seconds{kiosk="k1"} `,
		`smartkiosk_hub_client_certificate_end_timestamp_seconds{client="office",role="consumer"} `,
		`smartkiosk_hub_crl_this_update_timestamp_seconds{crl="`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("%s is missing in\n%s", line, text)
		}
	}
	holder := cards(t).Holders["valid"].Authentication.Certificate.Subject
	for _, personal := range []string{holder.SerialNumber, holder.CommonName} {
		if strings.Contains(text, personal) {
			t.Errorf("the metrics contain %q", personal)
		}
	}
	for _, other := range []*party{k1, office} {
		if status, _ := other.scrape(url); status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", other.id, status)
		}
	}
}

// Without JetStream the metrics still answer, and say that the store is down.
func TestMetricsWithoutStore(t *testing.T) {
	b := newBed(t)
	h := b.open()
	h.conn.Close()
	w := httptest.NewRecorder()
	if err := h.metricsAnswer(w, httptest.NewRequest("GET", "/metrics", nil), caller{}); err != nil {
		t.Fatal(err)
	}
	text := w.Body.String()
	if w.Code != http.StatusOK || !strings.Contains(text, "\nsmartkiosk_hub_store_up 0\n") || strings.Contains(text, "stream_messages") {
		t.Errorf("status %d: %s", w.Code, text)
	}
}

func TestSeconds(t *testing.T) {
	if got := seconds(time.UnixMilli(1500)); got != 1.5 {
		t.Errorf("got %v", got)
	}
}
