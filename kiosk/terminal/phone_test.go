package terminal_test

import (
	"context"
	"errors"
	"net/http"
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

// fakeLogin is a login by phone that the hub keeps. The test changes it.
type fakeLogin struct {
	cancelErr error

	mu       sync.Mutex
	login    hubapi.Login
	changed  chan struct{} // closed at the next change
	err      error         // of each request
	answered hubapi.Login  // to digits
	lostOnce bool          // the answer to the next digits is lost, but the hub has them
	digits   []string      // as received
	polls    int
}

// set changes the login.
func (l *fakeLogin) set(change func(*hubapi.Login)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.login)
	if l.changed != nil {
		close(l.changed)
	}
	l.changed = make(chan struct{})
}

func (l *fakeLogin) fail(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	l.set(func(*hubapi.Login) {})
}

func (l *fakeLogin) get() hubapi.Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.login
}

func (l *fakeLogin) wait(ctx context.Context, since kiosk.PhoneState, wait time.Duration) (hubapi.Login, error) {
	limit := time.After(wait)
	l.mu.Lock()
	l.polls++
	l.mu.Unlock()
	for {
		l.mu.Lock()
		now, err, changed := l.login, l.err, l.changed
		l.mu.Unlock()
		if err != nil || now.State != since {
			return now, err
		}
		select {
		case <-changed:
		case <-limit:
			return now, nil
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

func (l *fakeLogin) typed(_ context.Context, digits string) (hubapi.Login, error) {
	l.mu.Lock()
	l.digits = append(l.digits, digits)
	lost, answer := l.lostOnce, l.answered
	l.lostOnce = false
	l.mu.Unlock()
	l.set(func(now *hubapi.Login) { *now = answer })
	if lost {
		return hubapi.Login{}, errors.New("connection reset by peer")
	}
	return answer, l.err
}

// offerPhone starts a terminal whose policy offers logins by phone.
func offerPhone(t *testing.T, offer kiosk.Environment, change func(*rig, *terminal.Terminal)) *rig {
	t.Helper()
	services := make(chan kiosk.Services, 1)
	services <- kiosk.Services{Phone: offer}
	r := start(t, func(r *rig, term *terminal.Terminal) {
		term.Services = services
		r.hub.phone.set(func(l *hubapi.Login) {
			*l = hubapi.Login{ID: "l1", State: kiosk.PhoneWaiting, Link: "HTTPS://LOGIN.EXAMPLE/ABC234", ExpiresIn: 60}
		})
		if change != nil {
			change(r, term)
		}
	})
	r.slotIs(kiosk.CardGone{})
	return r
}

var grantedLogin = hubapi.Login{ID: "l1", State: kiosk.PhoneEnded, Outcome: kiosk.Granted, Holder: kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Ola"}, ValidFor: 30}

// reach brings the login to a state.
func (r *rig) reach(state kiosk.PhoneState, more ...func(*hubapi.Login)) {
	r.hub.phone.set(func(l *hubapi.Login) {
		l.State = state
		for _, m := range more {
			m(l)
		}
	})
	synctest.Wait()
}

// TestPhoneGranted logs in by phone. Each change of the hub's login is on the screen at
// once.
func TestPhoneGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &decider{}
		r := offerPhone(t, kiosk.Production, func(r *rig, term *terminal.Terminal) { term.Decider = d })
		r.typeKeys("1")
		if s := r.expectScreen(kiosk.ScreenLink); s.Page != "HTTPS://LOGIN.EXAMPLE/ABC234" {
			t.Errorf("the link is %q", s.Page)
		}
		r.pass(20 * time.Second) // several polls
		r.expectScreen(kiosk.ScreenLink)
		r.reach(kiosk.PhoneOpened)
		r.expectScreen(kiosk.ScreenOnPhone)
		r.reach(kiosk.PhoneAnswering)
		r.expectScreen(kiosk.ScreenChecking)
		r.reach(kiosk.PhoneDigits)
		r.hub.phone.answered = grantedLogin
		r.typeKeys("4711#")
		r.expectScreen(kiosk.ScreenGranted)
		r.pass(2 * time.Second)
		r.stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		if !slices.Equal(r.hub.phone.digits, []string{"4711"}) {
			t.Errorf("the hub got the digits %v", r.hub.phone.digits)
		}
		if len(r.records) != 1 || r.records[0].Method != kiosk.ByPhone || !r.records[0].Authenticated || r.records[0].Sandbox || r.records[0].Outcome != kiosk.Granted {
			t.Errorf("recorded %+v", r.records)
		}
		if diary := strings.Join(r.diary, ", "); !strings.Contains(diary, "record granted, show granted, door") {
			t.Errorf("the door does not follow the record: %s", diary)
		}
		if len(d.granted) != 1 {
			t.Errorf("known holders: %v", d.granted)
		}
		if polls := r.hub.phone.polls; polls > 12 {
			t.Errorf("%d requests in less than a minute", polls)
		}
	})
}

// TestPhoneSandbox: a login of the sandbox opens no door, and its holder does not become known.
func TestPhoneSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &decider{}
		r := offerPhone(t, kiosk.Sandbox, func(r *rig, term *terminal.Terminal) { term.Decider = d })
		r.hub.phone.set(func(l *hubapi.Login) { l.Sandbox = true })
		r.typeKeys("1")
		r.reach(kiosk.PhoneDigits)
		r.hub.phone.answered = grantedLogin
		r.hub.phone.answered.Sandbox = true
		r.typeKeys("4711#")
		if s := r.expectScreen(kiosk.ScreenGranted); !s.Sandbox {
			t.Error("the screen does not say that it is a test")
		}
		r.pass(2 * time.Second)
		r.stop()
		<-r.ended
		if slices.Contains(r.diary, "door") || len(d.granted) > 0 {
			t.Errorf("the door opened or the holder is known: %v, %v", r.diary, d.granted)
		}
		if len(r.records) != 1 || !r.records[0].Sandbox || r.records[0].Authenticated {
			t.Errorf("recorded %+v", r.records)
		}
	})
}

// TestPhoneNetwork loses the connection in each state, for a short time and for good.
func TestPhoneNetwork(t *testing.T) {
	lost := errors.New("no route to host")
	busy := &hubapi.Problem{Status: http.StatusTooManyRequests}
	gone := &hubapi.Problem{Status: http.StatusNotFound, Type: hubapi.KindNotFound}
	for name, tt := range map[string]struct {
		err    error
		lasts  time.Duration
		reason kiosk.Reason // "" if the login continues
	}{
		"a short loss":       {lost, 5 * time.Second, ""},
		"a loss":             {lost, time.Minute, kiosk.NoHub},
		"a busy hub":         {busy, 3 * time.Second, ""},
		"an unknown login":   {gone, 2 * time.Second, kiosk.HubRefused},
		"the hub's proxy":    {&hubapi.Problem{Status: http.StatusBadGateway, Type: hubapi.KindUnknown}, 5 * time.Second, ""},
		"the proxy for long": {&hubapi.Problem{Status: http.StatusBadGateway, Type: hubapi.KindUnknown}, time.Minute, kiosk.NoHub},
	} {
		states := []kiosk.PhoneState{kiosk.PhoneOpened}
		if tt.err == lost {
			states = []kiosk.PhoneState{kiosk.PhoneWaiting, kiosk.PhoneOpened, kiosk.PhoneDigits}
		}
		for _, state := range states {
			t.Run(name+" in "+string(state), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := offerPhone(t, kiosk.Production, nil)
					r.hub.phone.set(func(l *hubapi.Login) { l.ExpiresIn = 300 })
					r.typeKeys("1")
					r.reach(state)
					r.hub.phone.fail(tt.err)
					r.pass(tt.lasts)
					r.hub.phone.fail(nil)
					r.pass(2 * time.Second)
					r.reach(kiosk.PhoneEnded, func(l *hubapi.Login) { l.Outcome, l.Reason = kiosk.Cancelled, kiosk.LoginCancelled })
					r.pass(2 * time.Second)
					r.stop()
					<-r.ended
					if len(r.records) != 1 {
						t.Fatalf("recorded %+v", r.records)
					}
					switch got := r.records[0]; {
					case tt.reason == "" && (got.Outcome != kiosk.Cancelled || got.Reason != kiosk.LoginCancelled),
						tt.reason != "" && (got.Outcome != kiosk.Failed || got.Reason != tt.reason):
						t.Errorf("ended %s %s", got.Outcome, got.Reason)
					}
				})
			})
		}
	}
}

// TestPhoneNoHub: without a hub the person is told at once.
func TestPhoneNoHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := offerPhone(t, kiosk.Production, nil)
		r.hub.err, r.hub.down = errors.New("no route to host"), true
		r.typeKeys("1")
		if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != kiosk.NoHub {
			t.Errorf("shown for %s", s.Reason)
		}
	})
}

// TestPhoneAnswerLost: the hub has compared the digits, and its answer is lost. The kiosk
// asks how the login is, and does not send them again.
func TestPhoneAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := offerPhone(t, kiosk.Production, nil)
		r.typeKeys("1")
		r.reach(kiosk.PhoneDigits)
		r.hub.phone.answered, r.hub.phone.lostOnce = grantedLogin, true
		r.typeKeys("4711#")
		r.expectScreen(kiosk.ScreenGranted)
		if len(r.hub.phone.digits) != 1 {
			t.Errorf("the digits were sent %d times", len(r.hub.phone.digits))
		}
	})
}

// TestPhoneWrongDigits: the screen asks again, and what the hub reports meanwhile counts.
func TestPhoneWrongDigits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := offerPhone(t, kiosk.Production, nil)
		r.typeKeys("1")
		r.reach(kiosk.PhoneDigits)
		r.hub.phone.answered = hubapi.Login{ID: "l1", State: kiosk.PhoneDigits, Wrong: 1, ExpiresIn: 40}
		r.typeKeys("1111#")
		if s := r.expectScreen(kiosk.ScreenDigits); !s.WrongPIN || s.Tries != 2 || s.Typed != 0 {
			t.Errorf("shown %+v", s)
		}
		r.typeKeys("22")
		r.reach(kiosk.PhoneEnded, func(l *hubapi.Login) { l.Outcome, l.Reason = kiosk.TimedOut, kiosk.LoginExpired })
		r.expectScreen(kiosk.ScreenTimedOut)
	})
}

// TestPhoneCard: a card that is put in ends the login at the hub, too, and its visit
// begins.
func TestPhoneCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := offerPhone(t, kiosk.Production, func(r *rig, _ *terminal.Terminal) { r.hub.phone.cancelErr = errors.New("lost") })
		r.typeKeys("1")
		r.reach(kiosk.PhoneOpened)
		r.slotIs(cardIn())
		r.expectScreen(kiosk.ScreenPIN)
		if !slices.Contains(r.diary, "login l1 cancelled") {
			t.Errorf("the hub does not know that the login is over: %v", r.diary)
		}
		polls := r.hub.phone.polls
		r.pass(30 * time.Second)
		if r.hub.phone.polls != polls {
			t.Error("the kiosk still asks for the login")
		}
	})
}
