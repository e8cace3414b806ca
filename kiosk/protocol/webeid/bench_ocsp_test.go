package webeid_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"smartkiosk/kiosk/protocol/trust"
)

// BenchmarkOCSP compares a validation that sends an OCSP request with its
// parts: a validation that uses a cached answer, a round trip to the same
// responder with a plain HTTP client, and the library's check of the response.
// The two are measured in turns.
func BenchmarkOCSP(b *testing.B) {
	s := benchScene(b, "p256", "kept answer")
	v, token := s.validator(), s.token(s.certificate())
	responder := s.responder
	var request []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		responder.asked++
		request, _ = io.ReadAll(r.Body)
		w.Write(responder.respond(request))
	}))
	defer srv.Close()
	s.domain.OCSP = &trust.OCSPRules{URL: srv.URL}
	v.Domains = s.validator().Domains
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	validate := func() {
		if _, err := v.Validate(b.Context(), token, nonce, now); err != nil {
			b.Fatal(err)
		}
	}
	roundTrip := func() {
		response, err := client.Post(srv.URL, "application/ocsp-request", bytes.NewReader(request))
		if err != nil {
			b.Fatal(err)
		}
		defer response.Body.Close()
		der, err := io.ReadAll(response.Body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ocsp.ParseResponse(der, s.ca.cert); err != nil {
			b.Fatal(err)
		}
	}
	var whole, parts []time.Duration
	requests := 0
	for b.Loop() {
		v.OCSP = trust.NewOCSP(transport, rand.Reader)
		before := responder.asked
		begin := time.Now()
		validate() // sends a request
		asked := time.Now()
		requests += responder.asked - before
		validate() // uses the cached answer
		roundTrip()
		whole, parts = append(whole, asked.Sub(begin)), append(parts, time.Since(asked))
	}
	b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
	b.ReportMetric(float64(median(whole))/float64(median(parts)), "of-parts")
	b.ReportMetric(float64(median(whole)), "asked-ns")
}
