package push_test

import (
	"context"
	"crypto"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/terminal"
)

// This file has the parts of TestWear's kiosk that are not real: clock, card, panel, and a
// hub that grants at once. Its hub for events is a real one.

type wearClock struct {
	mu   sync.Mutex
	at   time.Time
	jump time.Duration // of a wrong clock
}

// now returns the time of the kiosk's clock.
func (c *wearClock) now() time.Time { at, jump := c.read(); return at.Add(jump) }

func (c *wearClock) read() (time.Time, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, c.jump
}

// set makes the kiosk's clock wrong, by so much.
func (c *wearClock) set(jump time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jump = jump
}

func (c *wearClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// nextDay goes to six o'clock UTC of the next day.
func (c *wearClock) nextDay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Truncate(24 * time.Hour).Add(30 * time.Hour)
}

// clocks returns the clocks of a day. The machine starts again every day.
func (c *wearClock) clocks(day int) journal.Clocks {
	began, _ := c.read()
	return journal.Clocks{
		Now: c.now, BootID: "boot-" + began.UTC().Format("20060102") + "-" + string(rune('a'+day%26)),
		Uptime:  func() time.Duration { at, _ := c.read(); return at.Sub(began) },
		Trusted: func() bool { _, jump := c.read(); return jump == 0 },
	}
}

type wearCard struct {
	key crypto.Signer
	der []byte
}

func (c *wearCard) Certificates(context.Context) ([][]byte, error) { return [][]byte{c.der}, nil }
func (c *wearCard) Signing() terminal.SigningCard                  { return nil }
func (c *wearCard) Authorities(context.Context) ([][]byte, error)  { return nil, nil }
func (c *wearCard) PINStatus(context.Context, int) (kiosk.PINStatus, error) {
	return kiosk.PINStatus{Min: 4, Max: 4, Tries: 3, TriesKnown: true}, nil
}
func (c *wearCard) VerifyPIN(context.Context, int, []byte) error       { return nil }
func (c *wearCard) VerifyPINOnPad(context.Context, int) error          { return nil }
func (c *wearCard) Signer(context.Context, int) (crypto.Signer, error) { return c.key, nil }
func (*wearCard) Services(context.Context, int) (kiosk.CardServices, error) {
	return kiosk.CardServices{}, nil
}

func (*wearCard) ChangePIN(context.Context, int, []byte, []byte) error { return nil }

func (*wearCard) UnblockPIN(context.Context, int, []byte, []byte) error { return nil }

func (c *wearCard) Close() error { return nil }

type wearSlot struct {
	events <-chan kiosk.Event
	card   *wearCard
}

func (s wearSlot) Watch(context.Context) <-chan kiosk.Event            { return s.events }
func (s wearSlot) Open(context.Context, string) (terminal.Card, error) { return s.card, nil }

// wearPanel passes on what it shows.
type wearPanel struct {
	keys   chan rune
	shown  chan kiosk.Screen
	opened chan struct{}
}

func (p *wearPanel) Show(s kiosk.Screen) { p.shown <- s }
func (p *wearPanel) Sound(kiosk.Cue)     {}
func (p *wearPanel) OpenDoor()           { p.opened <- struct{}{} }
func (p *wearPanel) Keys() <-chan rune   { return p.keys }

// await returns when the panel shows a screen.
func (p *wearPanel) await(t *testing.T, id kiosk.ScreenID) kiosk.ScreenID {
	t.Helper()
	for limit := time.After(5 * time.Minute); ; {
		select {
		case s := <-p.shown:
			if s.ID == id {
				return id
			}
		case <-limit:
			t.Fatalf("the panel never shows %s", id)
		}
	}
}

// wearHub grants everybody.
type wearHub struct{ terminal.Hub }

var wearHolder = kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Kari Nordmann", Domain: "test"}

func (wearHub) Challenge(context.Context) (hubapi.Challenge, error) {
	return hubapi.Challenge{Nonce: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", VerdictWithin: 10}, nil
}

func (wearHub) Authenticate(context.Context, string, string, []byte) (kiosk.Verdict, error) {
	return kiosk.Verdict{Granted: true, Holder: wearHolder}, nil
}

func (wearHub) Reach(context.Context) error { return nil }

type wearDecider struct{ terminal.Decider }

func (wearDecider) Choose([][]byte, ...[]byte) (trust.Choice, error) {
	return trust.Choice{Holder: wearHolder}, nil
}
func (wearDecider) Prepare(kiosk.Holder) {}
func (wearDecider) Decide(context.Context, string, []byte, string) kiosk.Verdict {
	return kiosk.Verdict{Offline: true, Reason: kiosk.OfflineNever}
}
func (wearDecider) RecordGrant(kiosk.Holder) {}

// wearJournal loses reports once kioskd is dead.
type wearJournal struct {
	journal *journal.Journal
	dead    atomic.Bool
}

func (j *wearJournal) Write(ctx context.Context, entries ...kiosk.Entry) error {
	if _, outcome := entries[len(entries)-1].(kiosk.Record); j.dead.Load() && !outcome {
		return nil
	}
	return j.journal.Write(ctx, entries...)
}
