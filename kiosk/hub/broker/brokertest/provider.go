package brokertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Person is somebody who can log in at the stand-in.
type Person struct {
	Key         string // names the person on the login page
	Name        string
	BuypassID   string
	Certificate string // PEM; "" for none
	ACR         string
	AMR         []string
	Extra       map[string]any // further claims
}

// Provider is the stand-in. Set the fields before it serves.
type Provider struct {
	Issuer      string // its own URL
	ClientID    string
	RedirectURL string
	ClientKeys  jose.JSONWebKeySet // public keys of the client
	Secret      string             // of the client; with a secret, client_secret_basic and _post are accepted
	Persons     []Person
	Now         func() time.Time

	Card                 string // the person whose card the page asks for, in place of a choice; "" for none
	RequirePAR           bool
	RequireRequestObject bool
	Encrypt              bool // encrypt ID tokens and UserInfo to the client's key with "use": "enc"
	SignUserInfo         bool

	// Hooks spoil answers. Each may be nil.
	Discovery func(map[string]any)
	Claims    func(map[string]any)    // of the ID token
	UserInfo  func(map[string]any)    // claims
	Token     func(map[string]any)    // the token endpoint's answer
	IDToken   func(raw string) string // signed, before encryption
	Sealed    func(raw string) string // after encryption
	Callback  func(url.Values)
	Intercept func(http.ResponseWriter, *http.Request) bool // answers a request instead
	Step      func(string)                                  // what the page for cards shows: card, pin, wrong, blocked, lost or failed; cancel when its button has the focus

	mu     sync.Mutex
	key    jose.JSONWebKey
	former []jose.JSONWebKey
	pushed map[string]url.Values
	codes  map[string]grant
	access map[string]grant
	seen   map[string]bool // jti of assertions
}

// grant is one login.
type grant struct {
	request url.Values
	person  Person
	at      time.Time
}

// New returns a stand-in with a new key.
func New() *Provider {
	p := &Provider{
		Now: time.Now, pushed: map[string]url.Values{}, codes: map[string]grant{}, access: map[string]grant{}, seen: map[string]bool{},
	}
	p.RotateKey(false)
	return p
}

// RotateKey makes a new signing key. With keep the former one stays in the JWK set.
func (p *Provider) RotateKey(keep bool) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.former = nil; keep {
		p.former = append(p.former, p.key)
	}
	p.key = jose.JSONWebKey{Key: private, KeyID: rand.Text()[:8], Algorithm: "ES256", Use: "sig"}
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Intercept != nil && p.Intercept(w, r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		fail(w, 400, "invalid_request")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /.well-known/openid-configuration":
		p.discovery(w)
	case "GET /jwks":
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}}
		for _, k := range p.former {
			set.Keys = append(set.Keys, k.Public())
		}
		answer(w, 200, set)
	case "POST /par":
		p.par(w, r)
	case "GET /auth":
		p.page(w, r)
	case "POST /step":
		if p.Step != nil {
			p.Step(r.Form.Get("at"))
		}
		w.WriteHeader(http.StatusNoContent)
	case "POST /login":
		p.login(w, r)
	case "POST /token":
		p.token(w, r)
	case "GET /userinfo":
		p.userInfo(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) discovery(w http.ResponseWriter) {
	doc := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/auth", "token_endpoint": p.Issuer + "/token",
		"jwks_uri": p.Issuer + "/jwks", "userinfo_endpoint": p.Issuer + "/userinfo",
		"pushed_authorization_request_endpoint": p.Issuer + "/par", "require_pushed_authorization_requests": p.RequirePAR,
		"require_signed_request_object":                  p.RequireRequestObject,
		"authorization_response_iss_parameter_supported": true,
		"response_types_supported":                       []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt", "client_secret_basic", "client_secret_post"},
	}
	if p.Discovery != nil {
		p.Discovery(doc)
	}
	answer(w, 200, doc)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]string{"error": code, "error_description": "a text that may name a person"})
}
