package terminal

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Logins keeps logins through brokers (hubapi.Client).
type Logins interface {
	BeginLogin(ctx context.Context, visit, language string) (hubapi.Login, error)
	// WaitForLogin returns the login when its state is not since, or after wait.
	WaitForLogin(ctx context.Context, id string, since kiosk.PhoneState, wait time.Duration) (hubapi.Login, error)
	TypeDigits(ctx context.Context, id, digits string) (hubapi.Login, error)
	CancelLogin(ctx context.Context, id string) error
	// BeginPageLogin begins a login on a broker's hosted page, and AnswerLogin hands in the
	// broker's answer.
	BeginPageLogin(ctx context.Context, visit, language string) (hubapi.Login, error)
	AnswerLogin(ctx context.Context, id, query string) (hubapi.Login, error)
}

const (
	// pollFor is how long one request waits for a login to change. A connection that has
	// died without a word is noticed soon after it.
	pollFor = 5 * time.Second

	// pollPause is the least time between two requests that bring nothing new.
	pollPause = time.Second

	// bridgeFor is how long a login by phone continues while the hub cannot be reached.
	bridgeFor = 10 * time.Second

	// digitsWithin bounds the hub's time for the digits and the verdict.
	digitsWithin = 10 * time.Second

	// cancelWithin bounds how long the kiosk tries to tell the hub that a login is over.
	// Otherwise the login expires.
	cancelWithin = 5 * time.Second
)

// keyEvent returns the event of a key. A key that begins a login through a broker brings
// the id of its visit.
func keyEvent(v kiosk.Visit, k kiosk.Key) kiosk.Event {
	if v.BeginsLogin(k) {
		return kiosk.LoginWanted{Visit: uuid.Must(uuid.NewV7()).String()}
	}
	if v.BeginsHosted(k) {
		return kiosk.HostedWanted{Visit: uuid.Must(uuid.NewV7()).String()}
	}
	return kiosk.KeyPressed{Key: k}
}

// beginLogin carries out a BeginLogin.
func (t *Terminal) beginLogin(ctx context.Context, q kiosk.BeginLogin) {
	t.answers.put(t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		l, err := t.Logins.BeginLogin(ctx, q.Visit, q.Language)
		return loginChanged(q.Visit, q.Question, l), err
	}))
}

// awaitLogin carries out an AwaitLogin.
func (t *Terminal) awaitLogin(ctx context.Context, q kiosk.AwaitLogin) {
	l, err := t.followLogin(ctx, q.Login, q.Since)
	t.answerLogin(ctx, q.Visit, q.Question, l, err)
}

// typeDigits carries out a TypeDigits. If its answer is lost, the hub may have compared the
// digits all the same. Then the login's state says so.
func (t *Terminal) typeDigits(ctx context.Context, q kiosk.TypeDigits) {
	var l hubapi.Login
	err := q.Digits.Use(func(digits []byte) (err error) {
		ctx, cancel := context.WithTimeout(ctx, digitsWithin)
		defer cancel()
		// The text cannot be wiped. The digits are no PIN: the hub takes them once.
		l, err = t.Logins.TypeDigits(ctx, q.Login, string(digits))
		return err
	})
	if _, answered := errors.AsType[*hubapi.Problem](err); err != nil && !answered {
		l, err = t.followLogin(ctx, q.Login, "")
	}
	t.answerLogin(ctx, q.Visit, q.Question, l, err)
}

// followLogin waits until the state of a login is not since. It bridges a short loss of
// the connection.
func (t *Terminal) followLogin(ctx context.Context, id string, since kiosk.PhoneState) (hubapi.Login, error) {
	var lost time.Time // when requests began to fail; zero while they do not
	for {
		asked := time.Now()
		limited, cancel := context.WithTimeout(ctx, pollFor+t.Config.Timing.Hub)
		l, err := t.Logins.WaitForLogin(limited, id, since, pollFor)
		cancel()
		switch problem, answered := errors.AsType[*hubapi.Problem](err); {
		case err == nil && l.State != since, ctx.Err() != nil:
			return l, err
		case err == nil:
			lost = time.Time{}
		case answered && !noHub(problem) && problem.Status != http.StatusTooManyRequests:
			return l, err
		case lost.IsZero():
			lost = asked
		case time.Since(lost) >= bridgeFor:
			return l, err
		}
		select {
		case <-time.After(pollPause - time.Since(asked)):
		case <-ctx.Done():
		}
	}
}

// answerLogin answers a question about a login.
func (t *Terminal) answerLogin(ctx context.Context, visit string, question int, l hubapi.Login, err error) {
	problem, answered := errors.AsType[*hubapi.Problem](err)
	switch {
	case ctx.Err() != nil: // a later question or the end of the visit has replaced this one
	case err == nil:
		t.answers.put(loginChanged(visit, question, l))
		if l.Outcome == kiosk.Granted && !l.Sandbox {
			t.Decider.RecordGrant(l.Holder)
		}
	case answered && !noHub(problem):
		t.Log.Warn("hub refused a request", "visit", visit, "request", hubapi.RequestID(err), "err", err)
		t.answers.put(kiosk.HubFailed{Visit: visit, Question: question, Reason: kiosk.HubRefused})
	default:
		t.answers.put(t.unreachable(visit, question, err))
	}
}

// cancelLogin carries out a CancelLogin. It outlives the visit.
func (t *Terminal) cancelLogin(q kiosk.CancelLogin) {
	ctx, cancel := context.WithTimeout(t.visit.parent, cancelWithin)
	t.questions.Go(func() {
		defer cancel()
		if err := t.Logins.CancelLogin(ctx, q.Login); err != nil {
			t.Log.Warn("a login was not cancelled; it expires at the hub", "err", err)
		}
	})
}

func loginChanged(visit string, question int, l hubapi.Login) kiosk.Event {
	return kiosk.LoginChanged{Visit: visit, Question: question, Login: kiosk.PhoneLogin{
		ID: l.ID, State: l.State, Link: l.Link, Sandbox: l.Sandbox, Within: time.Duration(l.ExpiresIn * float64(time.Second)),
		Wrong: l.Wrong, Outcome: l.Outcome, Reason: l.Reason, Holder: l.Holder,
	}}
}
