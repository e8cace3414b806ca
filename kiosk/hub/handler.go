package hub

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"smartkiosk/kiosk/protocol/hubapi"
)

// caller is who makes a request, by the certificate of the connection.
type caller struct {
	hubapi.Identity
	cert *x509.Certificate
}

// operation is one of the API: what it answers is written, or an error
// returned, which becomes a problem.
type operation func(w http.ResponseWriter, r *http.Request, c caller) error

// Handler returns the API. It takes who calls from the request's TLS state
// and is of no use without mutual TLS.
func (h *Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string][]string{} // methods by path
	on := func(method, path string, op operation, roles ...hubapi.Role) {
		mux.Handle(method+" "+path, h.answer(op, roles...))
		allowed[path] = append(allowed[path], method)
	}
	on("POST", "/v1/challenges", h.forPerson(h.challenge), hubapi.RoleKiosk)
	on("POST", "/v1/authentications", h.forPerson(h.authenticate), hubapi.RoleKiosk)
	on("POST", "/v1/events", h.takeEvents, hubapi.RoleKiosk)
	on("GET", "/v1/kiosk", h.policyAnswer, hubapi.RoleKiosk)
	on("GET", "/v1/known", h.knownAnswer, hubapi.RoleKiosk)
	on("GET", "/v1/crls/{digest}", h.crlSet, hubapi.RoleKiosk)
	on("GET", "/v1/feed/{consumer}", h.feed, hubapi.RoleConsumer)
	on("POST", "/v1/feed/{consumer}/ack", h.ackFeed, hubapi.RoleConsumer)
	on("GET", "/v1/openapi.yaml", describe, hubapi.RoleKiosk, hubapi.RoleConsumer)
	on("GET", "/healthz", h.health)
	for path, methods := range allowed {
		mux.Handle(path, h.answer(func(w http.ResponseWriter, r *http.Request, _ caller) error {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			return problem(http.StatusMethodNotAllowed, hubapi.KindMethod, "method not allowed", r.Method)
		}))
	}
	mux.Handle("/", h.answer(func(http.ResponseWriter, *http.Request, caller) error {
		return problem(http.StatusNotFound, hubapi.KindNotFound, "there is nothing here", "")
	}))
	return mux
}

// answer runs an operation for callers of one of the roles, for anybody with
// a certificate when none is given.
func (h *Hub) answer(op operation, roles ...hubapi.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, hubapi.MaxEventsBody)
		c, err := identify(r, roles)
		if err == nil {
			err = op(w, r, c)
		}
		if err != nil {
			h.refuse(w, r, c, err)
		}
	})
}

// forPerson gives an operation on whose answer a person waits.
func (h *Hub) forPerson(op operation) operation {
	return func(w http.ResponseWriter, r *http.Request, c caller) error {
		defer h.turns.person()()
		return op(w, r, c)
	}
}

// identify reads who calls and checks the role. The certificate was verified
// in the handshake.
func identify(r *http.Request, roles []hubapi.Role) (caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return caller{}, forbidden("a client certificate is required")
	}
	c := caller{cert: r.TLS.PeerCertificates[0]}
	if len(roles) == 0 {
		return c, nil
	}
	var err error
	if c.Identity, err = hubapi.IdentityOf(c.cert); err != nil {
		return c, forbidden(err.Error())
	}
	if !slices.Contains(roles, c.Role) {
		return c, forbidden("not for a " + string(c.Role))
	}
	return c, nil
}

// unpacked gives a request's body of one media type, at most so many bytes of it:
// who reads on has an *http.MaxBytesError.
func unpacked(r *http.Request, media string, max int64) (io.Reader, error) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != media {
		return nil, problem(http.StatusUnsupportedMediaType, hubapi.KindMedia, "wrong media type", "the body must be "+media)
	}
	var text io.Reader = r.Body
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		packed, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, malformed("the body is not packed by gzip")
		}
		text = packed
	default:
		return nil, problem(http.StatusUnsupportedMediaType, hubapi.KindMedia, "wrong media type", "the body may be packed by gzip, not otherwise")
	}
	return http.MaxBytesReader(nil, io.NopCloser(text), max), nil
}

// readBody reads a request's body of one media type.
func readBody(r *http.Request, media string, max int64) ([]byte, error) {
	text, err := unpacked(r, media, max)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(text)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge("the body is too large")
		}
		return nil, malformed("the body cannot be read to its end")
	}
	return body, nil
}

// readJSON reads a request's body, a JSON object with exactly these members:
// encoding/json alone lets them be missing, null, or in other letters.
func readJSON(r *http.Request, members map[string]any) error {
	body, err := readBody(r, "application/json", hubapi.MaxRequestBody)
	if err != nil {
		return err
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(body, &found); err != nil {
		return malformed("the body is no JSON object")
	}
	for name, into := range members {
		value, ok := found[name]
		if !ok {
			return malformed(name + " is missing")
		}
		if _, text := into.(*string); json.Unmarshal(value, into) != nil || text && value[0] != '"' {
			return malformed(name + " is of the wrong type")
		}
	}
	if len(found) > len(members) {
		return malformed("the body has members that the API does not know")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return write(w, status, "application/json", body)
}

// write sends an answer. That the client may be gone by now is not an error:
// it will ask again.
func write(w http.ResponseWriter, status int, media string, body []byte) error {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	w.Write(body)
	return nil
}

func describe(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return write(w, http.StatusOK, hubapi.MediaOpenAPI, hubapi.Document)
}

// health answers whether the store does, and the rules file can be used.
func (h *Hub) health(w http.ResponseWriter, r *http.Request, _ caller) error {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	if _, err := h.events.Info(ctx); err != nil {
		return storeError{err}
	}
	out := hubapi.Health{Status: "ok", Rules: hubapi.RulesCurrent}
	if h.rules.Stale() {
		out.Rules = hubapi.RulesStale
	}
	return writeJSON(w, http.StatusOK, out)
}
