package hub

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/login"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// loginsBucket holds the logins by phone that are in progress; see package login.
const loginsBucket = "smartkiosk-logins"

// attachLogins opens the bucket of logins, or creates it, if there are brokers.
func (h *Hub) attachLogins(ctx context.Context) error {
	if h.config.Brokers == nil {
		return nil
	}
	bucket, err := h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: loginsBucket, Storage: jetstream.FileStorage, TTL: login.Memory,
	})
	if err != nil {
		return err
	}
	h.logins = &login.Service{
		Bucket: bucket, Brokers: h.config.Brokers, Decide: h.decideLogin, Now: h.now, Rand: h.rand, Log: h.log,
		Groups: func(kioskID string) []string { return h.rules.Rules().GroupsOf(kioskID) },
	}
	return nil
}

// decideLogin applies the rules to a person who has logged in.
func (h *Hub) decideLogin(ctx context.Context, r login.Record) (kiosk.Verdict, error) {
	request := ctx
	ctx, cancel := context.WithTimeout(ctx, hubapi.VerdictWithin-answerMargin)
	defer cancel()
	ruleset := h.rules.Rules()
	c := rules.Case{Subject: r.Holder.ID, Domain: r.Holder.Domain, Kiosk: r.Kiosk, At: h.now()}
	decision := ruleset.Decide(c)
	log := h.log.With("kiosk", r.Kiosk, "visit", r.Visit, "domain", r.Holder.Domain, "broker", r.Broker, "rule", decision.Rule, "version", ruleset.Version)
	if !decision.Allowed {
		log.Info("visit denied", "reason", decision.Reason)
		return kiosk.Verdict{Reason: decision.Reason, Holder: r.Holder}, nil
	}
	if ruleset.Webhook != nil {
		admission := h.inParallel(func() error { return h.askWebhook(ctx, r.Visit, ruleset, c, decision.Rule) })
		reason, cause, err := admitted(request, ctx, ruleset, await(ctx, admission), log)
		if err != nil {
			return kiosk.Verdict{}, err
		}
		if reason != "" {
			log.Info("visit denied", "reason", reason, "err", cause)
			return kiosk.Verdict{Reason: reason, Holder: r.Holder}, nil
		}
	}
	log.Info("visit granted", "webhook", ruleset.Webhook != nil)
	if r.Environment == broker.Production {
		h.noteKnown(r.Kiosk, r.Holder)
	}
	return kiosk.Verdict{Granted: true, Holder: r.Holder}, nil
}

// readLogin reads the body of a request that begins a login.
func (h *Hub) readLogin(r *http.Request) (in hubapi.LoginRequest, err error) {
	if err := apihttp.ReadJSON(r, map[string]any{"visit": &in.Visit, "language": &in.Language, "purpose": &in.Purpose}); err != nil {
		return in, err
	}
	if n := utf8.RuneCountInString(in.Visit); n == 0 || n > maxText || len(in.Language) > maxText {
		return in, apihttp.Malformed("visit is empty or too long, or language is too long")
	}
	if in.Purpose != hubapi.PurposeEntry {
		return in, apihttp.Malformed("purpose must be " + hubapi.PurposeEntry)
	}
	if h.logins == nil {
		return in, loginProblem(login.ErrNoBroker)
	}
	return in, nil
}

// beginLogin handles POST /v1/logins.
func (h *Hub) beginLogin(w http.ResponseWriter, r *http.Request, c caller) error {
	in, err := h.readLogin(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	record, err := h.logins.Begin(ctx, c.Name, in.Visit, in.Language)
	return h.writeLogin(w, http.StatusCreated, record, err)
}

// pageTimeout bounds a request that waits for the broker.
const pageTimeout = 30 * time.Second

// beginPageLogin handles POST /v1/page-logins.
func (h *Hub) beginPageLogin(w http.ResponseWriter, r *http.Request, c caller) error {
	in, err := h.readLogin(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	record, address, err := h.logins.BeginPage(ctx, c.Name, in.Visit, in.Language)
	if err != nil {
		return loginProblem(err)
	}
	out := h.describe(record)
	if address != "" {
		out.Address, out.Callback = address, h.logins.Callback()
	}
	return apihttp.WriteJSON(w, http.StatusCreated, out)
}

// answerLogin handles POST /v1/logins/{login}/answer.
func (h *Hub) answerLogin(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.LoginAnswer
	if err := apihttp.ReadJSON(r, map[string]any{"query": &in.Query}); err != nil {
		return err
	}
	if h.logins == nil {
		return loginProblem(login.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	record, err := h.logins.Answer(ctx, c.Name, r.PathValue("login"), in.Query)
	return h.writeLogin(w, http.StatusOK, record, err)
}

// waitForLogin handles GET /v1/logins/{login}.
func (h *Hub) waitForLogin(w http.ResponseWriter, r *http.Request, c caller) error {
	query := r.URL.Query()
	wait, err := apihttp.Number(query, "wait", 0, int(hubapi.MaxWait.Seconds()), 0)
	if err != nil {
		return err
	}
	if h.logins == nil {
		return loginProblem(login.ErrUnknown)
	}
	ctx, stop := whileServing(r.Context())
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, max(time.Duration(wait)*time.Second, time.Millisecond))
	defer cancel()
	record, err := h.logins.Wait(ctx, c.Name, r.PathValue("login"), login.State(query.Get("since")))
	return h.writeLogin(w, http.StatusOK, record, err)
}

// cancelLogin handles DELETE /v1/logins/{login}.
func (h *Hub) cancelLogin(w http.ResponseWriter, r *http.Request, c caller) error {
	if h.logins == nil {
		return loginProblem(login.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	record, err := h.logins.Cancel(ctx, c.Name, r.PathValue("login"))
	return h.writeLogin(w, http.StatusOK, record, err)
}

var fourDigits = regexp.MustCompile(`^[0-9]{4}$`)

// typeDigits handles POST /v1/logins/{login}/digits.
func (h *Hub) typeDigits(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.DigitsEntry
	if err := apihttp.ReadJSON(r, map[string]any{"digits": &in.Digits}); err != nil {
		return err
	}
	if !fourDigits.MatchString(in.Digits) {
		return apihttp.Malformed("digits must be four digits")
	}
	if h.logins == nil {
		return loginProblem(login.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	record, err := h.logins.Type(ctx, c.Name, r.PathValue("login"), in.Digits)
	return h.writeLogin(w, http.StatusOK, record, err)
}

// writeLogin answers with a login.
func (h *Hub) writeLogin(w http.ResponseWriter, status int, r login.Record, err error) error {
	if err != nil {
		return loginProblem(err)
	}
	return apihttp.WriteJSON(w, status, h.describe(r))
}

func (h *Hub) describe(r login.Record) hubapi.Login {
	out := hubapi.Login{
		ID: r.ID, State: kiosk.PhoneState(r.State), Link: h.logins.Link(r), Sandbox: r.Environment == broker.Sandbox,
		ExpiresIn: max(0, r.Expires.Sub(h.now()).Seconds()), Wrong: r.Wrong, Outcome: r.Outcome, Reason: r.Reason,
	}
	if r.State == login.Ended {
		out.Holder, out.ExpiresIn = r.Holder, 0
		if r.Outcome == kiosk.Granted {
			out.ValidFor = int(hubapi.GrantLife.Seconds())
		}
	}
	return out
}

// loginProblem returns the problem for an error of the package login.
func loginProblem(err error) error {
	switch {
	case errors.Is(err, login.ErrUnknown):
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "this kiosk has no such login")
	case errors.Is(err, login.ErrNoBroker):
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", err.Error())
	}
	return storeError{err}
}
