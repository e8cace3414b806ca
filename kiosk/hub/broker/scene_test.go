package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/broker/brokertest"
)

const redirect = "https://login.example/callback"

// scene is one login at the stand-in. A test changes it before it runs.
type scene struct {
	t        testing.TB
	provider *brokertest.Provider
	server   *httptest.Server
	config   broker.Config
	client   *broker.Client // made at the first use
	now      time.Time
	person   string               // who logs in
	callback func(string) string  // changes the callback's query
	flow     func(f *broker.Flow) // changes the flow before Finish
	between  func()               // between the login and Finish
	twice    bool                 // finish the login twice
	trip     func(http.RoundTripper) http.RoundTripper
	context  context.Context
}

// newScene makes a login at a broker with the preset buypass.
func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{t: t, provider: brokertest.New(), now: time.Now(), person: "kari", context: t.Context()}
	s.server = httptest.NewTLSServer(s.provider)
	t.Cleanup(s.server.Close)
	s.provider.Now = func() time.Time { return s.now }
	s.provider.Issuer, s.provider.ClientID, s.provider.RedirectURL = s.server.URL, "smartkiosk", redirect
	s.provider.Persons = []brokertest.Person{{Key: "kari", Name: "Kari Prøve", BuypassID: "900000001", AMR: []string{"sc"}, ACR: "high"}}
	s.config = broker.Config{
		Name: "test", Environment: broker.Sandbox, Preset: "buypass", Issuer: s.server.URL, ClientID: "smartkiosk",
		RedirectURL: redirect, KeysFile: writeKeys(t, t.TempDir(), signKey("k1"), openKey("e1")),
	}
	s.register(s.config.KeysFile)
	return s
}

func signKey(id string) jose.JSONWebKey {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return jose.JSONWebKey{Key: k, KeyID: id, Use: "sig", Algorithm: "ES256"}
}

func openKey(id string) jose.JSONWebKey {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return jose.JSONWebKey{Key: k, KeyID: id, Use: "enc", Algorithm: "ECDH-ES"}
}

func rsaKey(t testing.TB, id, use, algorithm string) jose.JSONWebKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Use: use, Algorithm: algorithm}
}

func writeKeys(t testing.TB, dir string, keys ...jose.JSONWebKey) (path string) {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "keys.jwks")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// register gives the stand-in the public halves of the keys in a file.
func (s *scene) register(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		s.t.Fatal(err)
	}
	s.provider.ClientKeys = jose.JSONWebKeySet{}
	for _, k := range set.Keys {
		s.provider.ClientKeys.Keys = append(s.provider.ClientKeys.Keys, k.Public())
	}
}

func (s *scene) start() *broker.Client {
	s.t.Helper()
	if s.client != nil {
		return s.client
	}
	var trip http.RoundTripper = s.server.Client().Transport
	if s.trip != nil {
		trip = s.trip(trip)
	}
	client, err := broker.New(s.config, "", broker.Surroundings{HTTP: trip, Now: func() time.Time { return s.now }, Rand: rand.Reader})
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = client
	return client
}

// run logs the person in.
func (s *scene) run() (broker.Person, error) {
	s.t.Helper()
	client := s.start()
	flow, address, err := client.Begin(s.context, "nb")
	if err != nil {
		return broker.Person{}, err
	}
	query := s.browse(address)
	if s.callback != nil {
		query = s.callback(query)
	}
	if s.flow != nil {
		s.flow(&flow)
	}
	if s.between != nil {
		s.between()
	}
	in, err := broker.ReadCallback(query)
	if err != nil {
		return broker.Person{}, err
	}
	if s.twice {
		if _, err := client.Finish(s.context, flow, in); err != nil {
			s.t.Fatalf("the first callback: %v", err)
		}
	}
	return client.Finish(s.context, flow, in)
}

// browse does what the person does at the stand-in, and returns the callback's query.
func (s *scene) browse(address string) (query string) {
	s.t.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Transport: s.server.Client().Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(address)
	if err != nil {
		s.t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the broker answered %s: %s", resp.Status, page)
	}
	u, _ := url.Parse(address)
	resp, err = browser.PostForm(s.server.URL+"/login?"+u.RawQuery, url.Values{"person": {s.person}})
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	back := resp.Header.Get("Location")
	_, query, ok := strings.Cut(back, redirect+"?")
	if !ok {
		s.t.Fatalf("the broker sends the browser to %q", back)
	}
	return query
}
