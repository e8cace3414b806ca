package apihttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// refused fails unless err is a problem with this status.
func refused(t *testing.T, name string, err error, status int) {
	t.Helper()
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != status {
		t.Errorf("%s: error %v, want a problem with status %d", name, err, status)
	}
}

// TestCertificate checks that only a certificate that the handshake has verified counts.
func TestCertificate(t *testing.T) {
	cert := &x509.Certificate{}
	for name, tt := range map[string]struct {
		state *tls.ConnectionState
		ok    bool
	}{
		"no TLS":         {nil, false},
		"no certificate": {&tls.ConnectionState{}, false},
		"not verified":   {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}, false},
		"verified":       {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}, true},
		"in two ways":    {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}, {cert}}}, true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS = tt.state
		got, err := apihttp.Certificate(r)
		if !tt.ok {
			refused(t, name, err, http.StatusForbidden)
		} else if err != nil || got != cert {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestIdentify(t *testing.T) {
	consumer := hubapi.Identity{Role: hubapi.RoleConsumer, Name: "backend"}
	cert := &x509.Certificate{URIs: []*url.URL{consumer.URI()}}
	if got, err := apihttp.Identify(cert, hubapi.RoleKiosk, hubapi.RoleConsumer); err != nil || got != consumer {
		t.Errorf("got %v, %v", got, err)
	}
	_, err := apihttp.Identify(cert, hubapi.RoleKiosk)
	refused(t, "another role", err, http.StatusForbidden)
	_, err = apihttp.Identify(cert)
	refused(t, "no role", err, http.StatusForbidden)
	_, err = apihttp.Identify(&x509.Certificate{}, hubapi.RoleConsumer)
	refused(t, "no name", err, http.StatusForbidden)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetPathValue("consumer", "backend")
	if err := apihttp.CheckConsumer(r, consumer); err != nil {
		t.Error(err)
	}
	r.SetPathValue("consumer", "other")
	refused(t, "another's feed", apihttp.CheckConsumer(r, consumer), http.StatusForbidden)
}

func TestMediaType(t *testing.T) {
	for media, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "text/plain": false, "": false,
		"application/json; charset": false, "application/cloudevents+json": false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", media)
		if _, err := apihttp.Body(r, "application/json", 10); ok && err != nil {
			t.Errorf("%q: %v", media, err)
		} else if !ok {
			refused(t, media, err, http.StatusUnsupportedMediaType)
		}
	}
}
