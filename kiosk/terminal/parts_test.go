package terminal_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// A kiosk whose panel has a display serves only while the display works.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts := make(chan terminal.PartState)
		r := start(t, func(_ *rig, term *terminal.Terminal) {
			term.Config.Parts = []kiosk.Part{kiosk.Display}
			term.Parts = parts
		})
		r.slotIs(kiosk.CardGone{})
		parts <- terminal.PartState{Part: kiosk.Display, Works: true}
		synctest.Wait()
		r.expectScreen(kiosk.ScreenWelcome)
		parts <- terminal.PartState{Part: kiosk.Display}
		synctest.Wait()
		if s := r.expectScreen(kiosk.ScreenOutOfService); s.Reason != kiosk.DisplayLost {
			t.Errorf("out of service for %s", s.Reason)
		}
		_ = r.end()
	})
}

// stuckPanel hangs in Sound.
type stuckPanel struct {
	terminal.Panel
	free chan struct{}
}

func (p stuckPanel) Sound(kiosk.Cue) { <-p.free }

// The terminal calls Alive while it is idle, and does not call it while it hangs.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alive atomic.Int32
		free := make(chan struct{})
		r := start(t, func(_ *rig, term *terminal.Terminal) {
			term.Panel = stuckPanel{term.Panel, free}
			term.Alive = func() { alive.Add(1) }
		})
		for range 3 {
			before := alive.Load()
			r.pass(terminal.AliveEvery)
			if alive.Load() <= before {
				t.Error("not alive at rest")
			}
		}
		r.slotIs(kiosk.CardGone{}, cardIn()) // asks for the PIN, with a sound
		before := alive.Load()
		r.pass(time.Minute)
		if alive.Load() != before {
			t.Error("alive, and it hangs")
		}
		close(free)
		_ = r.end()
	})
}

// Timers that were stopped or restarted do not wake the terminal: after a visit it
// wakes only for its beat.
func TestIdleAfterVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alive atomic.Int32
		r := start(t, func(_ *rig, term *terminal.Terminal) {
			term.Alive = func() { alive.Add(1) }
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenGranted)
		r.slotIs(kiosk.CardGone{})
		before := alive.Load()
		const beats = 400
		r.pass(beats * terminal.AliveEvery) // longer than every timer of a visit
		if n := alive.Load() - before; n != beats {
			t.Errorf("idle, the terminal woke %d times in %d beats", n, beats)
		}
		if beats*terminal.AliveEvery < kiosk.DefaultTiming.Visit {
			t.Error("the test is shorter than the longest timer")
		}
		_ = r.end()
	})
}
