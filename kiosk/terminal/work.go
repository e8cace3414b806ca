package terminal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"smartkiosk/kiosk"
)

// visitContext is the context of the visit that goes on: what was begun for
// it gives up when it ends.
type visitContext struct {
	parent context.Context
	ctx    context.Context
	end    context.CancelFunc
}

func newVisitContext(parent context.Context) visitContext {
	v := visitContext{parent: parent, end: func() {}}
	v.begin()
	return v
}

func (v *visitContext) begin() {
	v.end()
	v.ctx, v.end = context.WithCancel(v.parent)
}

// askHub answers when the hub does, or with HubFailed. How long the person
// waits is the visit's matter; how long the hub is listened to ends with it.
func (t *Terminal) askHub(ctx context.Context, question kiosk.Effect) {
	var visit string
	var answer kiosk.Event
	var err error
	switch q := question.(type) {
	case kiosk.GetChallenge:
		visit = q.Visit
		challenge, e := t.Hub.Challenge(ctx)
		answer, err = kiosk.ChallengeReady{Visit: visit, Nonce: challenge.Nonce}, e
	case kiosk.Authenticate:
		visit = q.Visit
		verdict, e := t.Hub.Authenticate(ctx, visit, q.Nonce, q.Token)
		answer, err = kiosk.Decided{Visit: visit, Verdict: verdict}, e
		if verdict.Granted {
			defer t.Decider.RecordGrant(verdict.Holder) // once nobody waits for it
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			t.Log.Warn("hub did not answer", "visit", visit, "err", err)
		}
		answer = kiosk.HubFailed{Visit: visit}
	}
	t.answers.put(answer)
}

// decideOffline has the kiosk's own judge stand in for the hub.
func (t *Terminal) decideOffline(ctx context.Context, q kiosk.DecideOffline) {
	t.answers.put(kiosk.Decided{Visit: q.Visit, Verdict: t.Decider.Decide(ctx, q.Visit, q.Token, q.Nonce)})
}

// ownNonce stands in for the hub's challenge: the hub judges the token again
// when the event reaches it, and what is new in it then is the event's place
// in the chain.
func ownNonce() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// Waits between tries to write an outcome that the outbox did not take.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// record writes outcomes in their order, each until it is on disk.
func (t *Terminal) record(ctx context.Context) {
	for r := range t.records.out {
		for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
			err := t.Journal.Record(ctx, r)
			if err == nil {
				t.answers.put(kiosk.Recorded{Visit: r.Visit})
				break
			}
			t.Log.Error("out of service: the outbox does not take outcomes", "visit", r.Visit, "err", err, "retry_in", wait)
			t.answers.put(kiosk.RecordFailed{Visit: r.Visit})
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
	}
}
