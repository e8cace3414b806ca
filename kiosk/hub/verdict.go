package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
)

// answerMargin is the part of hubapi.VerdictWithin that is left for writing the answer.
// All checks end before it begins.
const answerMargin = 100 * time.Millisecond

// maxText bounds the visit's ID and the nonce, in characters.
const maxText = 64

// authenticate handles POST /v1/authentications.
func (h *Hub) authenticate(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.AuthenticationRequest
	if err := apihttp.ReadJSON(r, map[string]any{"visit": &in.Visit, "nonce": &in.Nonce, "token": &in.Token}); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(in.Visit); n == 0 || n > maxText {
		return apihttp.Malformed("visit is empty or too long")
	}
	if utf8.RuneCountInString(in.Nonce) > maxText {
		return apihttp.Malformed("nonce is too long")
	}
	verdict, err := h.verdict(r.Context(), c.Name, in)
	if err != nil {
		return err
	}
	h.metrics.countVerdict(verdict)
	out := hubapi.Authentication{Verdict: hubapi.VerdictDenied, Reason: verdict.Reason, Holder: verdict.Holder}
	if verdict.Granted {
		out = hubapi.Authentication{
			Verdict: hubapi.VerdictGranted, Holder: verdict.Holder, ValidFor: int(hubapi.GrantLife.Seconds()),
			Documents: verdict.Documents,
		}
	}
	return apihttp.WriteJSON(w, http.StatusOK, out)
}

// verdict decides whether to let a holder in. It always answers within
// hubapi.VerdictWithin, so that the kiosk never decides offline while a hub is at work.
// What the hub cannot find out in that time counts against the holder.
//
// It spends the nonce first, so that each nonce serves for one token only. It applies the
// operator's rules last, so that only a proven holder learns what the rules say.
func (h *Hub) verdict(ctx context.Context, kioskID string, in hubapi.AuthenticationRequest) (kiosk.Verdict, error) {
	log := h.log.With("request", requestID(ctx), "kiosk", kioskID, "visit", in.Visit)
	deny := func(reason kiosk.Reason, holder kiosk.Holder, keysAndValues ...any) (kiosk.Verdict, error) {
		log.Info("visit denied", append([]any{"reason", reason}, keysAndValues...)...)
		return kiosk.Verdict{Reason: reason, Holder: holder}, nil
	}
	request := ctx
	ctx, cancel := context.WithTimeout(ctx, hubapi.VerdictWithin-answerMargin)
	defer cancel()

	reason, err := h.spend(ctx, in.Nonce, kioskID, in.Visit)
	if err != nil {
		return kiosk.Verdict{}, err
	}
	if reason != "" {
		return deny(reason, kiosk.Holder{})
	}
	proof, err := h.validator.Verify(in.Token, in.Nonce, h.now())
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
		return deny(refusal.Reason, kiosk.Holder{}, "err", refusal.Err)
	}
	if err != nil {
		return kiosk.Verdict{}, err
	}
	holder := proof.Holder

	ruleset := h.rules.Rules()
	c := rules.Case{Subject: holder.ID, Domain: holder.Domain, Kiosk: kioskID, At: h.now()}
	decision := ruleset.Decide(c)
	log = log.With("domain", holder.Domain, "rule", decision.Rule, "version", ruleset.Version)

	// The OCSP responder, the operator's system and the store of documents are asked at the
	// same time.
	revocation := h.inParallel(func() error { return proof.CheckRevocation(ctx, h.now()) })
	var admission <-chan error
	if decision.Allowed && ruleset.Webhook != nil {
		admission = h.inParallel(func() error { return h.askWebhook(ctx, in.Visit, ruleset, c, decision.Rule) })
	}

	var documents string
	looking := h.inParallel(func() error {
		if decision.Allowed {
			documents = h.ticketFor(ctx, kioskID, in.Visit, holder)
		}
		return nil
	})

	err = await(ctx, revocation)
	if request.Err() != nil {
		return kiosk.Verdict{}, request.Err() // the kiosk no longer waits
	}
	refusal, refused := errors.AsType[*trust.Refusal](err)
	switch {
	case refused:
		return deny(refusal.Reason, kiosk.Holder{}, "err", refusal.Err)
	case errors.Is(err, context.DeadlineExceeded):
		return deny(kiosk.RevocationUnknown, kiosk.Holder{}, "err", err)
	case err != nil:
		return kiosk.Verdict{}, err
	case !decision.Allowed:
		return deny(decision.Reason, holder)
	}
	if admission != nil {
		reason, cause, err := admitted(request, ctx, ruleset, await(ctx, admission), log)
		switch {
		case err != nil:
			return kiosk.Verdict{}, err
		case cause != nil:
			return deny(reason, holder, "err", cause)
		case reason != "":
			return deny(reason, holder)
		}
	}
	log.Info("visit granted", "webhook", admission != nil)
	h.noteKnown(kioskID, holder)
	v := kiosk.Verdict{Granted: true, Holder: holder}
	if await(ctx, looking) == nil {
		v.Documents = documents
	}
	return v, nil
}

// admitted interprets the error of askWebhook: the reason of a denial, "" for none, with its
// cause if the operator's system gave no usable answer. request is the context of the
// request, ctx that of the verdict.
func admitted(request, ctx context.Context, ruleset *rules.Rules, answer error, log *slog.Logger) (reason kiosk.Reason, cause, err error) {
	denial, denied := errors.AsType[webhookDenial](answer)
	switch {
	case request.Err() != nil:
		return "", nil, request.Err()
	case denied && denial.reason == kiosk.OperatorDenied:
		return kiosk.OperatorDenied, nil, nil
	case answer != nil && ruleset.Webhook.AllowOnFailure:
		log.Warn("visit granted without the operator's system", "err", answer)
	case ctx.Err() != nil && answer != nil:
		return kiosk.NotAsked, answer, nil
	case denied:
		return denial.reason, denial.err, nil
	case answer != nil:
		return "", nil, answer
	}
	return "", nil, nil
}

// inParallel runs check in a goroutine of its own. A panic in check becomes its error.
func (h *Hub) inParallel(check func() error) <-chan error {
	result := make(chan error, 1)
	h.running.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				h.log.Error("a check for a verdict panicked", "err", v, "stack", string(debug.Stack()))
				result <- panicError{v}
			}
		}()
		result <- check()
	})
	return result
}

// stragglers is how long after the deadline a check may still deliver its result. The
// check knows the deadline itself, and some results, such as that of a CRL, need no more
// time than this.
const stragglers = answerMargin / 2

// await returns the result of a check, or context.DeadlineExceeded soon after ctx has
// ended.
func await(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	case <-time.After(stragglers):
		return context.DeadlineExceeded
	}
}
