package terminal

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"smartkiosk/kiosk"
)

// visitContext is the context of the present visit: work that was started for a
// visit is cancelled when the visit ends.
type visitContext struct {
	parent context.Context
	ctx    context.Context
	end    context.CancelFunc

	endFollow context.CancelFunc // of the last follow; may be nil
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

// follow returns a context within the visit's, and ends the one that it returned before.
func (v *visitContext) follow() (ctx context.Context) {
	if v.endFollow != nil {
		v.endFollow()
	}
	ctx, v.endFollow = context.WithCancel(v.ctx)
	return ctx
}

// decideOffline lets the offline policy decide in place of the hub.
func (t *Terminal) decideOffline(ctx context.Context, q kiosk.DecideOffline) {
	t.answers.put(kiosk.Decided{Visit: q.Visit, Question: q.Question, Verdict: t.Decider.Decide(ctx, q.Visit, q.Token, q.Nonce)})
}

// ownNonce returns a nonce that replaces the hub's challenge. The hub reviews the
// token when it receives the event. The event's place in the chain then proves that
// the token was fresh.
func ownNonce() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
