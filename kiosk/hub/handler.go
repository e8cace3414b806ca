package hub

import (
	"crypto/x509"
	"net/http"
	"strings"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// caller is the client that makes a request, as its certificate names it.
type caller struct {
	hubapi.Identity
	cert *x509.Certificate
}

// eventsPath is where kiosks hand in events.
const eventsPath = "/v1/events"

// operation answers one kind of request. It either writes an answer or returns an
// error, which becomes a problem document.
type operation func(w http.ResponseWriter, r *http.Request, c caller) error

// Handler returns the API's handler. It reads the caller from the request's TLS state,
// so it needs a server with mutual TLS.
func (h *Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string][]string{} // methods by path
	on := func(method, path string, op operation, roles ...hubapi.Role) {
		mux.Handle(method+" "+path, h.metrics.timed(method+" "+path, h.answer(op, roles...)))
		allowed[path] = append(allowed[path], method)
	}
	on("POST", "/v1/challenges", h.forPerson(h.challenge), hubapi.RoleKiosk)
	on("POST", "/v1/authentications", h.forPerson(h.authenticate), hubapi.RoleKiosk)
	on("POST", "/v1/logins", h.forPerson(h.beginLogin), hubapi.RoleKiosk)
	on("POST", "/v1/page-logins", h.forPerson(h.beginPageLogin), hubapi.RoleKiosk)
	on("GET", "/v1/logins/{login}", h.waitForLogin, hubapi.RoleKiosk)
	on("DELETE", "/v1/logins/{login}", h.forPerson(h.cancelLogin), hubapi.RoleKiosk)
	on("POST", "/v1/logins/{login}/answer", h.forPerson(h.answerLogin), hubapi.RoleKiosk)
	on("POST", "/v1/logins/{login}/digits", h.forPerson(h.typeDigits), hubapi.RoleKiosk)
	on("POST", "/v1/documents", h.forPerson(h.listDocuments), hubapi.RoleKiosk)
	on("POST", "/v1/documents/content", h.forPerson(h.documentContent), hubapi.RoleKiosk)
	on("POST", "/v1/signatures", h.forPerson(h.takeSignature), hubapi.RoleKiosk)
	on("GET", "/v1/signatures/{document}", h.signatureOf, hubapi.RoleConsumer)
	on("POST", eventsPath, h.takeEvents, hubapi.RoleKiosk)
	on("GET", "/v1/kiosk", h.policyAnswer, hubapi.RoleKiosk)
	on("DELETE", "/v1/kiosk", h.retire, hubapi.RoleKiosk)
	on("GET", "/v1/known", h.knownAnswer, hubapi.RoleKiosk)
	on("GET", "/v1/crls/{digest}", h.crlSet, hubapi.RoleKiosk)
	on("POST", "/v1/doctor", h.takeReport, hubapi.RoleKiosk)
	on("GET", "/v1/updates/{digest}", h.updateBundle, hubapi.RoleKiosk)
	on("GET", "/v1/feed/{consumer}", h.feed, hubapi.RoleConsumer)
	on("POST", "/v1/feed/{consumer}/ack", h.ackFeed, hubapi.RoleConsumer)
	on("GET", "/v1/openapi.yaml", describe, hubapi.RoleKiosk, hubapi.RoleConsumer)
	on("GET", "/v1/setup", h.setup, hubapi.RoleKiosk)
	on("GET", est.PathCACerts, h.caCerts, hubapi.RoleKiosk, hubapi.RoleConsumer, hubapi.RoleOperator)
	on("POST", est.PathSimpleEnroll, h.simpleEnroll, hubapi.RoleKiosk)
	on("POST", est.PathSimpleReenroll, h.simpleReenroll, hubapi.RoleKiosk, hubapi.RoleConsumer, hubapi.RoleOperator)
	on("GET", "/healthz", h.health)
	on("GET", "/fleet", h.fleetPage, hubapi.RoleOperator)
	on("GET", "/fleet/{kiosk}", h.kioskPage, hubapi.RoleOperator)
	on("GET", "/fleet.css", fleetStyle, hubapi.RoleOperator)
	on("GET", "/metrics", h.metricsAnswer, hubapi.RoleOperator)
	for path, methods := range allowed {
		mux.Handle(path, h.answer(func(w http.ResponseWriter, r *http.Request, _ caller) error {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			return apihttp.Problem(http.StatusMethodNotAllowed, hubapi.KindMethod, "method not allowed", r.Method)
		}))
	}
	mux.Handle("/", h.answer(func(http.ResponseWriter, *http.Request, caller) error {
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "")
	}))
	anyone := h.withoutCertificate()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) == 0 {
			anyone.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// answer runs an operation for callers that have one of the roles. Without roles any
// client with a certificate may call.
func (h *Hub) answer(op operation, roles ...hubapi.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = withRequestID(w, r)
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, hubapi.MaxEventsBody)
		c, err := identify(r, roles)
		if err == nil {
			err = h.accept(r, c.cert)
		}
		if err == nil {
			h.noteKiosk(w, r, c)
			if h.identities.renewed(c) {
				w.Header().Set("Connection", "close") // the client comes back with its newest certificate
			}
			err = h.withinLimits(op, w, r, c)
		}
		if err != nil {
			h.refuse(w, r, c, err)
		}
	})
}

// withinLimits runs an operation unless the caller exceeds a limit.
func (h *Hub) withinLimits(op operation, w http.ResponseWriter, r *http.Request, c caller) error {
	// All operations that write are POST requests. They fail at once, and not each after a
	// timeout.
	if r.Method == http.MethodPost {
		if err := h.keeper.refusal(r.URL.Path == eventsPath); err != nil {
			return err
		}
	}
	end, exceeded := h.limiter.begin(c.Identity, r)
	if exceeded != "" {
		h.abuse.note(exceeded, c.Identity, "")
		return tooMany(exceeded)
	}
	defer end()
	return op(w, r, c)
}

// forPerson marks an operation for whose answer a person waits.
func (h *Hub) forPerson(op operation) operation {
	return func(w http.ResponseWriter, r *http.Request, c caller) error {
		defer h.scheduler.beginPerson()()
		return op(w, r, c)
	}
}

// identify returns the client, which must have one of the roles if any are given.
func identify(r *http.Request, roles []hubapi.Role) (caller, error) {
	cert, err := apihttp.Certificate(r)
	if err != nil || len(roles) == 0 {
		return caller{cert: cert}, err
	}
	id, err := apihttp.Identify(cert, roles...)
	return caller{Identity: id, cert: cert}, err
}

func describe(w http.ResponseWriter, _ *http.Request, _ caller) error {
	apihttp.Write(w, http.StatusOK, hubapi.MediaOpenAPI, hubapi.Document)
	return nil
}

// healthKey is an entry that no nonce can have, for the proof of a write.
const healthKey = "health"

// health proves that the store can write, and reports whether the rules file can be used.
func (h *Hub) health(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := h.ProveWrite(r.Context()); err != nil {
		return err
	}
	out := hubapi.Health{Status: "ok", Rules: hubapi.RulesCurrent}
	if h.rules.Stale() {
		out.Rules = hubapi.RulesStale
	}
	if h.crls.any() {
		out.CRLs = hubapi.CRLsCurrent
		if h.crls.overdue() {
			out.CRLs = hubapi.CRLsOverdue
		}
	}
	return apihttp.WriteJSON(w, http.StatusOK, out)
}
