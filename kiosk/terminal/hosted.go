package terminal

import (
	"context"
	"errors"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Browser shows the hosted pages of brokers in place of the panel.
type Browser interface {
	// Open shows a page until it goes to callback, and returns the query of that address.
	// It calls opened when the page is there. It fails with a *PageError, or when ctx ends.
	// Then the panel is shown again.
	Open(ctx context.Context, address, callback string, opened func()) (query string, err error)
	// Key sends a key of the keypad to the page. It must return at once.
	Key(rune)
}

// PageError is the error that a hosted page ended without an answer of the broker.
type PageError struct {
	Reason kiosk.Reason
	Err    error
}

func (e *PageError) Error() string { return e.Err.Error() }
func (e *PageError) Unwrap() error { return e.Err }

// logInHosted carries out a LogInHosted.
func (t *Terminal) logInHosted(ctx context.Context, q kiosk.LogInHosted) {
	var l hubapi.Login
	begun := t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (_ kiosk.Event, err error) {
		l, err = t.Logins.BeginPageLogin(ctx, q.Visit, q.Language)
		return loginChanged(q.Visit, q.Question, l), err
	})
	if _, ok := begun.(kiosk.LoginChanged); !ok || l.State == kiosk.PhoneEnded {
		t.answers.put(begun)
		return
	}
	opened := false
	query, err := t.Browser.Open(ctx, l.Address, l.Callback, func() {
		opened = true
		t.answers.put(begun)
	})
	if err != nil {
		if !opened { // otherwise the visit cancels it
			t.cancelLogin(kiosk.CancelLogin{Login: l.ID})
		}
		t.answers.put(t.pageFailed(ctx, q, err))
		return
	}
	answering := l
	answering.State = kiosk.PhoneAnswering
	t.answers.put(begun) // the page may have gone to the callback before it was complete
	t.answers.put(loginChanged(q.Visit, q.Question, answering))
	ended := t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (_ kiosk.Event, err error) {
		l, err = t.Logins.AnswerLogin(ctx, l.ID, query)
		return loginChanged(q.Visit, q.Question, l), err
	})
	t.answers.put(ended)
	if changed, ok := ended.(kiosk.LoginChanged); ok && changed.Login.Outcome == kiosk.Granted && !changed.Login.Sandbox {
		t.Decider.RecordGrant(changed.Login.Holder)
	}
}

// pageFailed returns the event of a page that ended with an error.
func (t *Terminal) pageFailed(ctx context.Context, q kiosk.LogInHosted, err error) kiosk.Event {
	why := kiosk.BrowserLost
	if failed, ok := errors.AsType[*PageError](err); ok {
		why = failed.Reason
	}
	if ctx.Err() == nil {
		t.Log.Warn("a login on a hosted page failed", "visit", q.Visit, "reason", why, "err", err)
	}
	return kiosk.HostedFailed{Visit: q.Visit, Question: q.Question, Reason: why}
}
