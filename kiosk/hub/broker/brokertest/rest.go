package brokertest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// REST is a stand-in for Signicat's REST API: it has the documented fields, and nothing of
// what is behind them.
type REST struct {
	URL              string // its own
	ClientID, Secret string
	Persons          []Person
	Provider         string // of each login
	LOA              string

	// Hooks spoil answers. Each may be nil.
	Session   func(map[string]any)
	Intercept func(http.ResponseWriter, *http.Request) bool

	sessions map[string]map[string]any
	back     map[string]string // a session → where the browser goes
	tokens   map[string]bool
}

// NewREST returns a stand-in without sessions.
func NewREST() *REST {
	return &REST{sessions: map[string]map[string]any{}, back: map[string]string{}, tokens: map[string]bool{}}
}

// Status returns the status of a session.
func (p *REST) Status(id string) any { return p.sessions[id]["status"] }

// ServeHTTP implements http.Handler. It is not safe for concurrent use.
func (p *REST) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Intercept != nil && p.Intercept(w, r) {
		return
	}
	if r.Method+" "+r.URL.Path == "POST /auth/open/connect/token" {
		id, secret, _ := r.BasicAuth()
		if s, err := url.QueryUnescape(secret); err != nil || id != p.ClientID || s != p.Secret || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "signicat-api" {
			fail(w, 401, "invalid_client")
			return
		}
		token := rand.Text()
		p.tokens[token] = true
		answer(w, 200, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 600})
		return
	}
	path, api := strings.CutPrefix(r.URL.Path, "/auth/rest/sessions")
	if !api {
		p.login(w, r)
		return
	}
	if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !p.tokens[token] {
		answer(w, 401, map[string]any{"title": "Unauthorized", "code": "unauthorized"})
		return
	}
	id, cancel := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/cancel")
	s, known := p.sessions[id]
	switch {
	case r.Method == http.MethodPost && path == "":
		p.create(w, r)
	case !known:
		answer(w, 404, map[string]any{"title": "Not found", "code": "session-not-found"})
	case cancel && r.Method == http.MethodPost:
		s["status"] = "CANCELLED"
		w.WriteHeader(204)
	default:
		if p.Session != nil {
			p.Session(s)
		}
		answer(w, 200, s)
	}
}

func (p *REST) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Flow              string            `json:"flow"`
		CallbackURLs      map[string]string `json:"callbackUrls"`
		ExternalReference string            `json:"externalReference"`
		SessionLifetime   int               `json:"sessionLifetime"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Flow != "redirect" || in.CallbackURLs["success"] == "" ||
		in.CallbackURLs["abort"] == "" || in.CallbackURLs["error"] == "" || in.SessionLifetime < 300 {
		answer(w, 400, map[string]any{"title": "Bad request", "code": "invalid-request", "invalidParams": []any{}})
		return
	}
	id := rand.Text()
	p.back[id] = in.CallbackURLs["success"]
	p.sessions[id] = map[string]any{
		"id": id, "status": "CREATED", "authenticationUrl": p.URL + "/login?session=" + id, "externalReference": in.ExternalReference,
		"unknownMember": true,
	}
	if p.Session != nil {
		p.Session(p.sessions[id])
	}
	answer(w, 201, p.sessions[id])
}

// login logs the person in whom the query names, and sends the browser back.
func (p *REST) login(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("session")
	s, known := p.sessions[id]
	if !known {
		http.NotFound(w, r)
		return
	}
	i := slices.IndexFunc(p.Persons, func(x Person) bool { return x.Key == r.FormValue("person") })
	if i < 0 {
		s["status"] = "ABORT"
	} else {
		subject := map[string]any{"id": "pairwise", "idpId": p.Persons[i].BuypassID, "name": p.Persons[i].Name}
		for name, v := range p.Persons[i].Extra {
			subject[name] = v
		}
		s["status"], s["provider"], s["loa"], s["subject"] = "SUCCESS", p.Provider, p.LOA, subject
	}
	http.Redirect(w, r, p.back[id]+"?sessionId="+id, http.StatusSeeOther)
}
