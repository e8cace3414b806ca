package terminal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// withPad begins a visit at a reader that has its own keys.
func withPad(t *testing.T) *rig {
	r := start(t, func(r *rig, _ *terminal.Terminal) { r.card.pad = make(chan padEntry) })
	r.slotIs(kiosk.CardGone{}, cardIn())
	if s := r.expectScreen(kiosk.ScreenPIN); !s.OnReader || s.TakesPIN() {
		t.Errorf("the screen is %+v", s)
	}
	return r
}

var errPad = errors.New("the reader sent no PIN")

func (r *rig) onPad(e padEntry) {
	r.card.pad <- e
	synctest.Wait()
}

// The holder types the PIN on the reader. Keys of the panel do not belong to it.
func TestPINPad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withPad(t)
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenPIN)
		if r.card.seen != nil {
			t.Error("the card was given what was typed on the panel")
		}
		r.onPad(padEntry{err: fmt.Errorf("cannot verify: %w", &terminal.PadError{Result: terminal.PadMistyped, Err: errPad})})
		if s := r.expectScreen(kiosk.ScreenPIN); s.WrongPIN || s.Tries != 3 {
			t.Errorf("after a PIN that is too short the screen is %+v", s)
		}
		r.onPad(padEntry{pin: "9999"})
		if s := r.expectScreen(kiosk.ScreenPIN); !s.OnReader || !s.WrongPIN || s.Tries != 2 {
			t.Errorf("after a wrong PIN the screen is %+v", s)
		}
		r.onPad(padEntry{pin: "1234"})
		r.expectScreen(kiosk.ScreenGranted)
		r.expectOrder("reader asks", "reader asks", "reader asks", "record granted", "door")
		_ = r.end()
	})
}

var errGone = fmt.Errorf("cannot verify: %w", terminal.ErrNoCard)

// A visit that ends during PIN entry on the reader has the right outcome. If the card
// is missing, the slot's event, which comes later, decides on the outcome.
func TestPINPadEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*rig)
		screen kiosk.ScreenID
		reason kiosk.Reason
	}{
		"cancelled there": {func(r *rig) { r.onPad(padEntry{err: &terminal.PadError{Result: terminal.PadCancelled, Err: errPad}}) }, kiosk.ScreenCancelled, kiosk.ByHolder},
		"cancelled here":  {func(r *rig) { r.typeKeys("*#") }, kiosk.ScreenCancelled, kiosk.ByHolder},
		"nobody types": {func(r *rig) {
			r.onPad(padEntry{err: &terminal.PadError{Result: terminal.PadTimedOut, Err: errPad}})
			if s := r.expectScreen(kiosk.ScreenPIN); !s.TimeShort || !s.OnReader {
				t.Errorf("no warning: the screen is %+v", s)
			}
			r.onPad(padEntry{err: &terminal.PadError{Result: terminal.PadTimedOut, Err: errPad}})
		}, kiosk.ScreenTimedOut, kiosk.PINTimeout},
		"it never ends": {func(r *rig) { r.pass(kiosk.DefaultTiming.PadEntry) }, kiosk.ScreenTimedOut, kiosk.PINTimeout},
		"it breaks":     {func(r *rig) { r.onPad(padEntry{err: errDisk}) }, kiosk.ScreenFailed, kiosk.CardUnreadable},
		"it breaks, as it was pulled": {func(r *rig) {
			r.onPad(padEntry{err: errGone})
			r.slotIs(kiosk.CardGone{})
		}, kiosk.ScreenWelcome, kiosk.CardRemoved},
		"it breaks, as it was unplugged": {func(r *rig) {
			r.onPad(padEntry{err: errGone})
			r.slotIs(kiosk.ReaderGone{})
		}, kiosk.ScreenOutOfService, kiosk.ReaderLost},
		"it breaks, and the slot sees nothing": {func(r *rig) {
			r.onPad(padEntry{err: errGone})
			r.pass(2 * time.Second)
		}, kiosk.ScreenFailed, kiosk.CardUnreadable},
		"pulled": {func(r *rig) { r.slotIs(kiosk.CardGone{}) }, kiosk.ScreenWelcome, kiosk.CardRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := withPad(t)
				c.end(r)
				r.expectScreen(c.screen)
				r.expectOrder("reader asks", "card closed")
				if len(r.records) != 1 || r.records[0].Reason != c.reason || r.records[0].Authenticated {
					t.Errorf("recorded %+v", r.records)
				}
				want := 1
				if name == "nobody types" {
					want = 2
				}
				if asked := strings.Count(strings.Join(r.diary, ","), "reader asks"); asked != want {
					t.Errorf("the reader asked %d times", asked)
				}
				_ = r.end()
			})
		})
	}
}

// TestPINPadRefuses: when the reader cannot ask for the PIN, the kiosk's keypad
// takes it in the same visit.
func TestPINPadRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withPad(t)
		r.onPad(padEntry{err: &terminal.PadError{Result: terminal.PadRefused, Err: errPad}})
		if s := r.expectScreen(kiosk.ScreenPIN); s.OnReader || s.Tries != 3 {
			t.Errorf("after the reader refused the screen is %+v", s)
		}
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenGranted)
		_ = r.end()
	})
}
