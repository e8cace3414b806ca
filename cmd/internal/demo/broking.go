package demo

import (
	"fmt"
	"net/http"
	"sync"

	"smartkiosk/kiosk/hub/broker/brokertest"
)

// broking is the stand-in for the broker, which can be switched off and slowed down.
type broking struct {
	*brokertest.Provider

	mu    sync.Mutex
	state string
	let   chan struct{} // closed when a slow broker goes on
}

// The states of the stand-in.
const (
	brokerUp   = "up"
	brokerDown = "down" // answers the hub with 503
	brokerSlow = "slow" // answers the hub when it is up again, or down
)

func newBroking() *broking {
	b := &broking{Provider: brokertest.New(), state: brokerUp}
	b.Intercept = b.intercept
	return b
}

func (b *broking) set(state string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch state {
	case brokerUp, brokerDown, brokerSlow:
	default:
		return fmt.Errorf("a broker can be up, down or slow, not %q", state)
	}
	if b.let != nil {
		close(b.let)
		b.let = nil
	}
	if b.state = state; state == brokerSlow {
		b.let = make(chan struct{})
	}
	return nil
}

// intercept answers a request of the hub in place of the stand-in. The pages for people
// work in every state, so that the hub's part can be tried.
func (b *broking) intercept(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/auth" || r.URL.Path == "/login" {
		return false
	}
	b.mu.Lock()
	let := b.let
	b.mu.Unlock()
	if let != nil {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != brokerDown {
		return false
	}
	http.Error(w, "the stand-in is switched off", http.StatusServiceUnavailable)
	return true
}
