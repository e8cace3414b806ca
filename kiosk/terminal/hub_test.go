package terminal_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/terminal"
)

// The kiosk decides offline only if it could not reach a hub.
func TestOfflineOnlyWithoutHub(t *testing.T) {
	refused := errors.New("connection refused")
	for name, tt := range map[string]struct {
		err     error
		down    bool
		offline bool
		reason  kiosk.Reason
	}{
		"no connection":                      {err: refused, down: true, offline: true},
		"a connection that was cut":          {err: refused, reason: kiosk.HubSilent},
		"a gateway without a hub, 502":       {err: &hubapi.Problem{Type: hubapi.KindUnknown, Status: 502}, offline: true},
		"a gateway without a hub, 503":       {err: &hubapi.Problem{Type: hubapi.KindUnknown, Status: 503}, offline: true},
		"a gateway without a hub, 504":       {err: &hubapi.Problem{Type: hubapi.KindUnknown, Status: 504}, offline: true},
		"a hub without its store":            {err: &hubapi.Problem{Type: hubapi.KindNotReady, Status: 503}, offline: true},
		"a hub that is overloaded":           {err: &hubapi.Problem{Type: "urn:smartkiosk:problem:busy", Status: 503}, reason: kiosk.HubRefused},
		"a hub that does not know the kiosk": {err: &hubapi.Problem{Type: "urn:smartkiosk:problem:forbidden", Status: 403}, reason: kiosk.HubRefused},
		"a 404 without a problem":            {err: &hubapi.Problem{Type: hubapi.KindUnknown, Status: 404}, reason: kiosk.HubRefused},
		"a 500 without a problem":            {err: &hubapi.Problem{Type: hubapi.KindUnknown, Status: 500}, reason: kiosk.HubRefused},
	} {
		for _, late := range []bool{false, true} { // with the challenge, or with the verdict
			synctest.Test(t, func(t *testing.T) {
				r := start(t, func(r *rig, _ *terminal.Terminal) {
					if !late {
						r.hub.err, r.hub.down = tt.err, tt.down
					}
				})
				r.slotIs(kiosk.CardGone{}, cardIn())
				r.hub.err, r.hub.down = tt.err, tt.down
				r.typeKeys("1234#")
				r.pass(time.Second)
				if tt.offline {
					if s := r.expectScreen(kiosk.ScreenGranted); !s.Offline {
						t.Errorf("%s, late %v: granted, but not offline", name, late)
					}
				} else if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != tt.reason || s.Offline {
					t.Errorf("%s, late %v: %+v", name, late, s)
				}
				told := map[kiosk.Reason]string{"": "hub cannot be reached", kiosk.HubSilent: "hub did not answer", kiosk.HubRefused: "hub refused a request"}
				if log := r.logged(); !strings.Contains(log, told[tt.reason]) || !strings.Contains(log, tt.err.Error()) {
					t.Errorf("%s, late %v: it logs\n%s", name, late, log)
				}
				if err := r.end(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The kiosk waits for a slow hub until the deadline that the hub announced, plus two
// seconds for the network. After that the visit fails; the kiosk does not decide.
func TestSlowHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) { r.hub.within = 3 })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.hub.hang = true
		r.typeKeys("1234#")
		r.pass(4900 * time.Millisecond)
		r.expectScreen(kiosk.ScreenChecking)
		r.pass(200 * time.Millisecond)
		if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != kiosk.HubSilent {
			t.Errorf("failed for %s", s.Reason)
		}
		r.expectOrder("request cancelled")
		_ = r.end()
	})
}

// The kiosk notices that the connection to the hub was lost without a reset while the
// person waits. A verdict that arrives during the check counts.
func TestLineGoesDead(t *testing.T) {
	for name, comes := range map[string]bool{"no verdict": false, "a verdict": true} {
		synctest.Test(t, func(t *testing.T) {
			var hub *lateHub
			r := start(t, func(r *rig, term *terminal.Terminal) {
				hub = &lateHub{fakeHub: &r.hub, answer: comes}
				term.Hub = hub
			})
			r.slotIs(kiosk.CardGone{}, cardIn())
			r.typeKeys("1234#")
			r.pass(1600 * time.Millisecond)
			if s := r.expectScreen(kiosk.ScreenGranted); s.Offline == comes {
				t.Errorf("%s: offline %v", name, s.Offline)
			}
			_ = r.end()
		})
	}
}

// lateHub answers an authentication after 0.8 s or never. No new connection can be
// made.
type lateHub struct {
	*fakeHub
	answer bool
}

func (h *lateHub) Authenticate(ctx context.Context, visit, nonce string, token []byte) (kiosk.Verdict, error) {
	if h.answer {
		<-time.After(800 * time.Millisecond)
		return h.fakeHub.Authenticate(ctx, visit, nonce, token)
	}
	<-ctx.Done()
	return kiosk.Verdict{}, ctx.Err()
}

func (h *lateHub) Reach(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A hub that answers late, but within its deadline, decides.
func TestLateVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, term *terminal.Terminal) {
			term.Hub = reachable{&lateHub{fakeHub: &r.hub, answer: true}}
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.pass(1600 * time.Millisecond)
		if s := r.expectScreen(kiosk.ScreenGranted); s.Offline {
			t.Error("the kiosk decided")
		}
		_ = r.end()
	})
}

// reachable is a lateHub to which new connections can be made.
type reachable struct{ *lateHub }

func (reachable) Reach(context.Context) error { return nil }

// Run waits until requests to the hub have ended, and returns an error if one does not.
func TestStopAwaitsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := start(t, func(r *rig, term *terminal.Terminal) { term.Hub = deafHub{&r.hub, release} })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.stop()
		r.pass(time.Second)
		select {
		case <-r.ended:
			t.Fatal("Run returned while a request was in progress")
		default:
		}
		close(release)
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := start(t, func(r *rig, term *terminal.Terminal) { term.Hub = deafHub{&r.hub, release} })
		r.slotIs(kiosk.CardGone{}, cardIn())
		if err := r.end(); err == nil {
			t.Error("Run says nothing about a request that does not end")
		}
		close(release)
	})
}

// deafHub does not notice that a request is cancelled.
type deafHub struct {
	*fakeHub
	release chan struct{}
}

func (h deafHub) Challenge(context.Context) (hubapi.Challenge, error) {
	<-h.release
	return hubapi.Challenge{}, nil
}

// The terminal calls InProgress at the begin and end of each visit.
func TestInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []bool
		calls := func() []bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(told)
		}
		r := start(t, func(_ *rig, term *terminal.Terminal) {
			term.InProgress = func(now bool) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, now)
			}
		})
		r.slotIs(kiosk.CardGone{})
		if got := calls(); len(got) != 0 {
			t.Errorf("without a visit: %v", got)
		}
		r.slotIs(cardIn())
		if got := calls(); len(got) != 1 || !got[0] {
			t.Errorf("with a card: %v", got)
		}
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenGranted)
		if got := calls(); len(got) != 1 {
			t.Errorf("while the outcome is shown: %v", got)
		}
		r.pass(kiosk.DefaultTiming.Outcome)
		r.expectScreen(kiosk.ScreenRemoveCard)
		if got := calls(); len(got) != 2 || got[1] {
			t.Errorf("with the card left in: %v", got)
		}
		_ = r.end()
	})
}

// The terminal records a grant only if the hub's verdict is granted.
func TestDenialIsNoGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d *decider
		r := start(t, func(r *rig, term *terminal.Terminal) {
			d = deciderOf(term)
			r.hub.verdict = kiosk.Verdict{Reason: kiosk.Revoked, Holder: r.hub.verdict.Holder}
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenDenied)
		if err := r.end(); err != nil || len(d.granted) != 0 {
			t.Errorf("recorded grants %+v, %v", d.granted, err)
		}
	})
}

// The panel shows that login pages are recorded.
func TestRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recording := make(chan bool)
		r := start(t, func(_ *rig, term *terminal.Terminal) { term.Recording = recording })
		r.slotIs(kiosk.CardGone{})
		for _, on := range []bool{true, false} {
			recording <- on
			synctest.Wait()
			if s := r.expectScreen(kiosk.ScreenWelcome); s.Recorded != on {
				t.Errorf("recorded: %v, shown: %v", on, s.Recorded)
			}
		}
		_ = r.end()
	})
}

// The kiosk is out of service while the outbox has no room, and serves again after.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := make(chan bool)
		r := start(t, func(_ *rig, term *terminal.Terminal) { term.Room = room })
		r.slotIs(kiosk.CardGone{})
		room <- false
		synctest.Wait()
		if s := r.expectScreen(kiosk.ScreenOutOfService); s.Reason != kiosk.OutboxFull {
			t.Errorf("out of service for %s", s.Reason)
		}
		room <- true
		synctest.Wait()
		r.expectScreen(kiosk.ScreenWelcome)
		_ = r.end()
	})
}
