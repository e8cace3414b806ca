package terminal

import (
	"context"
	"errors"
	"net/http"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Hub provides challenges and verdicts (hubapi.Client).
type Hub interface {
	Challenge(ctx context.Context) (hubapi.Challenge, error)
	Authenticate(ctx context.Context, visit, nonce string, token []byte) (kiosk.Verdict, error)
	// Documents lists the documents that wait for the holder of a verdict.
	Documents(ctx context.Context, ticket string) ([]kiosk.DocumentInfo, error)
	// Document returns the bytes of one of them.
	Document(ctx context.Context, ticket, id string) ([]byte, error)
	// HandIn gives the holder's decision about one of them to the hub.
	HandIn(ctx context.Context, r hubapi.SignatureRequest) (hubapi.SignatureAnswer, error)
	// Reach fails if no hub completes a TLS handshake.
	Reach(ctx context.Context) error
}

// getChallenge carries out a GetChallenge.
func (t *Terminal) getChallenge(ctx context.Context, q kiosk.GetChallenge) {
	t.answers.put(t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		c, err := t.Hub.Challenge(ctx)
		within := time.Duration(c.VerdictWithin * float64(time.Second))
		return kiosk.ChallengeReady{Visit: q.Visit, Question: q.Question, Nonce: c.Nonce, VerdictWithin: within}, err
	}))
}

// authenticate carries out an Authenticate.
func (t *Terminal) authenticate(ctx context.Context, q kiosk.Authenticate) {
	answer := t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		v, err := t.Hub.Authenticate(ctx, q.Visit, q.Nonce, q.Token)
		return kiosk.Decided{Visit: q.Visit, Question: q.Question, Verdict: v}, err
	})
	t.answers.put(answer)
	if d, ok := answer.(kiosk.Decided); ok && d.Verdict.Granted {
		t.Decider.RecordGrant(d.Verdict.Holder) // after the answer, so that the person does not wait for it
	}
}

// askHub returns the hub's answer. It returns HubFailed if a hub was reached but did
// not answer or refused, and HubUnreachable if no hub could be reached, or if a hub says
// that its store is unavailable. It decides
// within Timing.Hub whether a hub can be reached. After that only the visit's own
// timeouts limit how long it waits.
func (t *Terminal) askHub(ctx context.Context, visit string, question int, call func(context.Context) (kiosk.Event, error)) kiosk.Event {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		answer kiosk.Event
		err    error
	}
	answered := make(chan result, 1)
	t.questions.Go(func() {
		answer, err := call(asking)
		answered <- result{answer, err}
	})
	var r result
	select {
	case r = <-answered:
	case <-time.After(t.Config.Timing.Hub / 4):
		if err := t.reach(ctx); err != nil && ctx.Err() == nil {
			select {
			case r = <-answered: // the answer arrived meanwhile
			default:
				return t.unreachable(visit, question, err)
			}
		} else {
			r = <-answered
		}
	}
	switch problem, answered := errors.AsType[*hubapi.Problem](r.err); {
	case r.err == nil:
		return r.answer
	case ctx.Err() != nil:
		return kiosk.HubFailed{Visit: visit, Question: question, Reason: kiosk.HubSilent} // the visit has ended, so no state waits for the answer
	case answered && noHub(problem):
		return t.unreachable(visit, question, r.err)
	case answered:
		t.Log.Warn("hub refused a request", "visit", visit, "request", hubapi.RequestID(r.err), "err", r.err)
		return kiosk.HubFailed{Visit: visit, Question: question, Reason: kiosk.HubRefused}
	}
	if t.reach(ctx) != nil {
		return t.unreachable(visit, question, r.err)
	}
	t.Log.Warn("hub did not answer", "visit", visit, "request", hubapi.RequestID(r.err), "err", r.err)
	return kiosk.HubFailed{Visit: visit, Question: question, Reason: kiosk.HubSilent}
}

func (t *Terminal) unreachable(visit string, question int, err error) kiosk.Event {
	t.Log.Warn("hub cannot be reached", "visit", visit, "request", hubapi.RequestID(err), "err", err)
	return kiosk.HubUnreachable{Visit: visit, Question: question}
}

// reach returns an error if no hub can be reached within half of Timing.Hub.
func (t *Terminal) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.Config.Timing.Hub/2)
	defer cancel()
	return t.Hub.Reach(ctx)
}

// noHub reports whether an answer says that no hub can decide at the moment. It comes
// from a proxy that could not reach the hub behind it, without a problem document of the
// hub. Or a hub says that its own store is unavailable, so that it cannot use up a nonce.
func noHub(p *hubapi.Problem) bool {
	switch p.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return p.Type == hubapi.KindUnknown || p.Type == hubapi.KindNotReady
	}
	return false
}
