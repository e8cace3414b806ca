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
	"smartkiosk/kiosk/protocol/webeid"
	"smartkiosk/kiosk/terminal"
)

func deciderOf(term *terminal.Terminal) *decider { return term.Decider.(*decider) }

func TestGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var decided *decider
		r := start(t, func(_ *rig, term *terminal.Terminal) { decided = deciderOf(term) })
		validator := webeid.Validator{Origin: origin, Domains: decided.domains}
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.expectScreen(kiosk.ScreenPIN)
		r.typeKeys("1234#")
		if s := r.expectScreen(kiosk.ScreenGranted); s.Name != "Ola" || s.Offline {
			t.Errorf("the screen is %+v", s)
		}
		r.expectOrder("record granted", "show granted", "door")
		holder, err := validator.Validate(t.Context(), r.hub.token, r.hub.nonce, time.Now())
		if err != nil || holder.ID == "" {
			t.Errorf("the hub received an invalid token: %v", err)
		}
		if strings.Trim(string(r.card.seen), "\x00") != "" {
			t.Error("the PIN is not wiped")
		}
		if len(decided.granted) != 1 || decided.granted[0] != r.hub.verdict.Holder {
			t.Errorf("recorded grants: %+v", decided.granted)
		}
		r.slotIs(kiosk.CardGone{})
		r.expectScreen(kiosk.ScreenWelcome)
		r.expectOrder("door", "show welcome")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// If no hub can be reached, the person waits at most two seconds, and the terminal
// cancels the requests.
func TestHubUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) { r.hub.hang, r.hub.down = true, true })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenChecking)
		r.pass(2 * time.Second)
		if s := r.expectScreen(kiosk.ScreenGranted); !s.Offline {
			t.Error("the screen does not say that the kiosk decided offline")
		}
		r.slotIs(kiosk.CardGone{})
		r.expectOrder("request cancelled")
		if got := r.records[0]; !got.Offline || !got.Authenticated || got.Token == nil || got.Holder.ID == "" || got.Basis.Rules != "rules-7" {
			t.Errorf("recorded %+v", got)
		}
		_ = r.end()
	})
}

func TestOfflineNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, term *terminal.Terminal) {
			r.hub.down, r.hub.err = true, errors.New("connection refused")
			deciderOf(term).never = true
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.pass(2 * time.Second)
		if s := r.expectScreen(kiosk.ScreenDenied); s.Reason != kiosk.OfflineNever {
			t.Errorf("denied for %s", s.Reason)
		}
		_ = r.end()
	})
}

// If an outcome cannot be written to disk, the kiosk is out of service until it has
// been written. The kiosk never shows a verdict that is not recorded.
func TestOutboxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) { r.recordErrs = []error{errDisk, errDisk} })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		if s := r.expectScreen(kiosk.ScreenOutOfService); s.Reason != kiosk.OutboxFailed {
			t.Errorf("out of service for %s", s.Reason)
		}
		if !strings.Contains(r.logged(), errDisk.Error()) {
			t.Errorf("the technician is not told why: %s", r.logged())
		}
		r.pass(3 * time.Second)
		r.expectScreen(kiosk.ScreenRemoveCard)
		r.expectOrder("record failed", "show out-of-service", "record failed", "record granted", "show remove-card")
		if len(r.records) != 1 {
			t.Errorf("%d records", len(r.records))
		}
		_ = r.end()
	})
}

// failingJournal fails each time and notes when.
type failingJournal struct {
	mu    sync.Mutex
	tries []time.Time
}

func (j *failingJournal) Write(context.Context, ...kiosk.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tries = append(j.tries, time.Now())
	return errDisk
}

// The pause before each retry is twice the one before, up to 30 s.
func TestPausesOfTheRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j failingJournal
		r := start(t, func(_ *rig, term *terminal.Terminal) { term.Journal = &j })
		r.slotIs(kiosk.CardGone{}, cardMute())
		r.pass(2 * time.Minute)
		j.mu.Lock()
		var pauses []time.Duration
		for i, at := range j.tries[1:] {
			pauses = append(pauses, at.Sub(j.tries[i])/time.Second)
		}
		j.mu.Unlock()
		if want := []time.Duration{1, 2, 4, 8, 16, 30, 30}; !slices.Equal(pauses, want) {
			t.Errorf("seconds between the tries: %d, not %d", pauses, want)
		}
		_ = r.end()
	})
}

// If the program stops during a visit, the outcome is in the outbox and the card is
// closed.
func TestStopInVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("12")
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.expectOrder("show out-of-service", "record failed")
		r.expectOrder("show out-of-service", "card closed") // in either order
		if len(r.records) != 1 || r.records[0].Reason != kiosk.Stopped {
			t.Errorf("recorded %+v", r.records)
		}
	})
}

// If the disk fails, Run still ends when it is stopped, and returns an error.
func TestStopWithoutDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) {
			for range 100 {
				r.recordErrs = append(r.recordErrs, errDisk)
			}
		})
		r.slotIs(kiosk.CardGone{}, cardMute())
		if err := r.end(); err == nil || !strings.Contains(err.Error(), "outbox") {
			t.Errorf("Run returned %v", err)
		}
	})
}

// A person who types nothing is warned. A key after the warning restarts the full
// time.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := kiosk.DefaultTiming
		r := start(t, nil)
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("12")
		r.pass(timing.PINEntry)
		if s := r.expectScreen(kiosk.ScreenPIN); !s.TimeShort || s.Typed != 2 {
			t.Errorf("the screen is %+v", s)
		}
		r.pass(timing.Warning - time.Second)
		r.typeKeys("#")
		if s := r.expectScreen(kiosk.ScreenPIN); s.TimeShort || s.Typed != 2 {
			t.Errorf("after a key the screen is %+v", s)
		}
		r.pass(timing.PINEntry)
		r.pass(timing.Warning - time.Second)
		r.expectScreen(kiosk.ScreenPIN)
		r.pass(time.Second)
		r.expectScreen(kiosk.ScreenTimedOut)
		_ = r.end()
	})
}

// A card that hangs ends its visit; the PIN is wiped when the card gives up.
func TestCardHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) { r.card.hang = true })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.pass(kiosk.DefaultTiming.Verifying)
		if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != kiosk.CardTimeout {
			t.Errorf("failed for %s", s.Reason)
		}
		if string(r.card.seen) != "\x00\x00\x00\x00" {
			t.Error("the PIN is not wiped")
		}
		_ = r.end()
	})
}

func TestWrongPINThenPulled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("9999#")
		if s := r.expectScreen(kiosk.ScreenPIN); !s.WrongPIN || s.Tries != 2 {
			t.Errorf("the screen is %+v", s)
		}
		r.slotIs(kiosk.CardGone{})
		r.expectScreen(kiosk.ScreenWelcome)
		r.expectOrder("card closed")
		if len(r.records) != 1 || r.records[0].Reason != kiosk.CardRemoved {
			t.Errorf("recorded %+v", r.records)
		}
		r.slotIs(kiosk.ReaderGone{})
		r.expectScreen(kiosk.ScreenOutOfService)
		_ = r.end()
	})
}

// The log contains no name or number of a person, and no PIN.
func TestLogHasNoPersonalData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) { r.hub.hang, r.hub.down = true, true })
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("9999#1234#")
		r.pass(2 * time.Second)
		name := r.expectScreen(kiosk.ScreenGranted).Name
		_ = r.end()
		visit := r.records[0].Visit // random digits
		log := strings.ReplaceAll(r.logged(), visit, "")
		for _, personal := range []string{name, r.records[0].Holder.ID, "9999", "1234"} {
			if personal == "" || strings.Contains(log, personal) {
				t.Errorf("%q is in the log: %s", personal, log)
			}
		}
	})
}

// TestServices changes the PIN after a login and unblocks a blocked one. The codes reach
// the card and are wiped, the card stays open for the service and is closed once, and the
// outcome is recorded before it is shown.
func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offers := make(chan kiosk.Services, 1)
		offers <- kiosk.Services{ChangePIN: true, Unblock: true}
		r := start(t, func(_ *rig, term *terminal.Terminal) { term.Services = offers })
		synctest.Wait()
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenGranted)
		r.typeKeys("#")
		r.expectScreen(kiosk.ScreenMenu)
		r.typeKeys("19999#5678#5678#")
		if s := r.expectScreen(kiosk.ScreenPIN); !s.WrongPIN || s.Tries != 2 || s.Asks != kiosk.CodeOld {
			t.Errorf("after a wrong old PIN: %+v", s)
		}
		r.typeKeys("1234#5678#5678#")
		r.expectScreen(kiosk.ScreenDone)
		r.expectOrder("record granted", "show granted", "show menu", "record completed", "show done")
		if r.card.pin != "5678" {
			t.Error("the PIN was not changed")
		}
		if strings.Trim(string(r.card.seen)+string(r.card.proof), "\x00") != "" {
			t.Error("the codes are not wiped")
		}
		if got := r.records[1]; got.Service != kiosk.ServiceChange || got.Outcome != kiosk.Completed || !got.Authenticated || got.Holder.Name != "Ola" || got.Token != nil {
			t.Errorf("recorded %+v", got)
		}
		r.slotIs(kiosk.CardGone{})
		r.expectOrder("show done", "card closed")

		r.card.blocked = true
		r.slotIs(cardIn())
		if s := r.expectScreen(kiosk.ScreenDenied); s.Unblock != kiosk.AtKiosk {
			t.Errorf("a blocked PIN: %+v", s)
		}
		r.typeKeys("#12345678#4321#4321#")
		r.expectScreen(kiosk.ScreenDone)
		if got := r.records[3]; got.Service != kiosk.ServiceUnblock || got.Outcome != kiosk.Completed || got.Authenticated || r.card.pin != "4321" {
			t.Errorf("recorded %+v", got)
		}
		r.slotIs(kiosk.CardGone{})
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}
