// Package terminal is the shell around the visit machine: it turns what
// happens in the slot, on the keypad and on the clock into events, runs the
// effects that Step gives, and feeds their answers back. It decides nothing
// that Step could decide.
//
// One goroutine steps; one owns the card; one writes to the outbox; each
// question to the hub has its own. None waits for another, so that a card or
// a disk that hangs holds up nobody's screen.
package terminal

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
)

// Slot is where the card goes.
type Slot interface {
	// Watch sends the slot's state and then every change, until ctx ends, as
	// kiosk.CardInserted, CardSilent, CardGone and ReaderGone. The first two
	// carry the id of a new visit.
	Watch(ctx context.Context) <-chan kiosk.Event
	// Open connects to the card in the slot, exclusively until it is closed.
	Open(ctx context.Context) (Card, error)
}

// Card is an identity card. Certificates are named by their place in what
// Certificates gave. An error that is no *PINError and wraps neither a
// *CardError nor ErrNoCard means that the card cannot be read.
type Card interface {
	// Certificates gives those to authenticate with, DER. It may go by what
	// is remembered of the card. When none of them will do it is asked again,
	// and then goes by what is on the card.
	Certificates(ctx context.Context) ([][]byte, error)
	// Authorities gives the CA certificates on the card, DER. They are asked
	// for when no certificate can be traced to an anchor without.
	Authorities(ctx context.Context) ([][]byte, error)
	PINStatus(ctx context.Context, certificate int) (kiosk.PINStatus, error)
	VerifyPIN(ctx context.Context, certificate int, pin []byte) error // *PINError if it is wrong
	// VerifyPINOnPad has the reader ask for the PIN, where PINStatus says so.
	// It fails with a *PadError when the reader sent the card no PIN.
	VerifyPINOnPad(ctx context.Context, certificate int) error
	Signer(ctx context.Context, certificate int) (crypto.Signer, error)
	Close() error // resets the card
}

// PINError says that the card did not take the PIN.
type PINError struct{ Status kiosk.PINStatus }

func (e *PINError) Error() string {
	if !e.Status.TriesKnown {
		return "wrong PIN"
	}
	return fmt.Sprintf("wrong PIN, %d tries left", e.Status.Tries)
}

// PadResult says why a reader with keys sent the card no PIN.
type PadResult int

const (
	PadCancelled PadResult = iota // the holder pressed the reader's cancel key
	PadTimedOut                   // the holder typed nothing
	PadMistyped                   // the holder typed too few or too many digits
)

// PadError says that a reader with keys sent the card no PIN. Err is the
// driver's error.
type PadError struct {
	Result PadResult
	Err    error
}

func (e *PadError) Error() string { return e.Err.Error() }
func (e *PadError) Unwrap() error { return e.Err }

// ErrNoCard says that the card is not there any more, or its reader: the slot
// tells which.
var ErrNoCard = errors.New("no card")

// CardError says why a card is of no use, where more is known than that.
type CardError struct {
	Reason kiosk.Reason
	Err    error
}

func (e *CardError) Error() string { return e.Err.Error() }
func (e *CardError) Unwrap() error { return e.Err }

// Panel is what the person sees, hears and presses. Its methods must return
// at once.
type Panel interface {
	Show(kiosk.Screen)
	Sound(kiosk.Cue)
	OpenDoor()
	Keys() <-chan rune // see kiosk.Key
}

// Hub is asked for challenges and verdicts.
type Hub interface {
	Challenge(ctx context.Context) (hubapi.Challenge, error)
	Authenticate(ctx context.Context, visit, nonce string, token []byte) (kiosk.Verdict, error)
}

// Journal keeps outcomes. Record returns when the outcome is on disk.
type Journal interface {
	Record(ctx context.Context, r kiosk.Record) error
}

// Decider knows whose cards count, and stands in for the hub (kiosk/offline).
type Decider interface {
	// Choose picks the certificate of a card to authenticate with; authorities
	// are the CA certificates on it. See trust.Domains.Choose.
	Choose(certs [][]byte, authorities ...[]byte) (trust.Choice, error)
	// Decide gives the verdict on a token over a nonce, by the rules at hand.
	Decide(ctx context.Context, visit string, token []byte, nonce string) kiosk.Verdict
	// RecordGrant takes note that the hub has let a holder in.
	RecordGrant(kiosk.Holder)
}

// PartState tells whether a part of the panel works.
type PartState struct {
	Part  kiosk.Part
	Works bool
}

// AliveEvery is how often a Terminal at rest says that it is alive.
const AliveEvery = 3 * time.Second

// Terminal is one kiosk's slot, panel, hub and outbox, wired together.
type Terminal struct {
	Slot    Slot
	Panel   Panel
	Hub     Hub
	Journal Journal
	Decider Decider
	Origin  string // of the hub: what tokens are made for
	Config  kiosk.Config
	Room    <-chan bool      // whether the outbox has room for more visits; it has until told otherwise
	Parts   <-chan PartState // of the panel, as they change; see Config.Parts
	Alive   func()           // called each time that events are waited for, at least every AliveEvery; nil for nobody
	Now     func() time.Time
	Log     *slog.Logger

	answers mailbox[kiosk.Event]
	timers  map[kiosk.Timer]*time.Timer
	card    cardOwner
	records mailbox[kiosk.Record]
	visit   visitContext
	began   time.Time
}

// Run serves visits until ctx ends. A visit that is under way then ends as
// failed. Run returns once its outcome, and all others, are in the outbox and
// the card is let go of; when either takes too long it gives up, with an error.
func (t *Terminal) Run(ctx context.Context) error {
	workers, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	t.answers, t.records = newMailbox[kiosk.Event](workers), newMailbox[kiosk.Record](workers)
	t.card = cardOwner{terminal: t, jobs: newMailbox[cardJob](workers)}
	t.timers = map[kiosk.Timer]*time.Timer{}
	t.visit = newVisitContext(workers)

	var atWork, recording sync.WaitGroup
	atWork.Go(t.card.run)
	recording.Go(func() { t.record(workers) })

	v := t.serve(ctx)

	// A stop is an event like any other; its effects are the last.
	_, effects := v.Step(kiosk.Stopping{})
	for _, effect := range effects {
		t.do(effect)
	}
	for _, timer := range t.timers {
		timer.Stop()
	}
	t.records.close()
	if !within(t.Config.Timing.Recording, recording.Wait) {
		return errors.New("cannot stop cleanly: the outbox does not take the last outcome")
	}
	stop()
	if !within(t.Config.Timing.Verifying, atWork.Wait) {
		return errors.New("cannot stop cleanly: the card does not answer")
	}
	return nil
}

// serve steps until ctx ends.
func (t *Terminal) serve(ctx context.Context) kiosk.Visit {
	slot, keys := t.Slot.Watch(ctx), t.Panel.Keys()
	v := kiosk.New(t.Config)
	t.Panel.Show(v.Screen())
	beat := time.NewTicker(AliveEvery)
	defer beat.Stop()
	for {
		if t.Alive != nil {
			t.Alive()
		}
		var e kiosk.Event
		select {
		case <-beat.C:
			continue
		case <-ctx.Done():
			return v
		case change, ok := <-slot:
			if !ok {
				slot = nil // ctx has ended
				continue
			}
			e = change
		case key := <-keys:
			e = kiosk.KeyPressed{Key: kiosk.Key(key)}
		case e = <-t.answers.out:
		case room := <-t.Room:
			e = roomEvent(room)
		case part := <-t.Parts:
			e = partEvent(part)
		}
		var effects []kiosk.Effect
		v, effects = v.Step(e)
		for _, effect := range effects {
			t.do(effect)
		}
	}
}

// within tells whether wait returned within so long.
func within(limit time.Duration, wait func()) bool {
	returned := make(chan struct{})
	go func() { wait(); close(returned) }()
	select {
	case <-returned:
		return true
	case <-time.After(limit):
		return false
	}
}

func roomEvent(room bool) kiosk.Event {
	if room {
		return kiosk.RoomAgain{}
	}
	return kiosk.RoomEnds{}
}

func partEvent(s PartState) kiosk.Event {
	if s.Works {
		return kiosk.PartFound{Part: s.Part}
	}
	return kiosk.PartLost{Part: s.Part}
}

// do begins an effect. What takes time goes to a worker and answers later.
func (t *Terminal) do(e kiosk.Effect) {
	switch e := e.(type) {
	case kiosk.Show:
		t.Panel.Show(e.Screen)
	case kiosk.Sound:
		t.Panel.Sound(e.Cue)
	case kiosk.OpenDoor:
		t.Panel.OpenDoor()
	case kiosk.StartTimer:
		t.startTimer(e)
	case kiosk.StopTimer:
		if timer := t.timers[e.Timer]; timer != nil {
			timer.Stop()
		}
	case kiosk.ReadCard:
		t.visit.begin()
		t.began = t.Now()
		t.card.do(t.visit.ctx, e)
	case kiosk.VerifyPIN, kiosk.VerifyOnPad, kiosk.Sign:
		t.card.do(t.visit.ctx, e)
	case kiosk.Release:
		t.visit.end()
		t.card.do(t.visit.ctx, e)
	case kiosk.GetChallenge, kiosk.Authenticate:
		go t.askHub(t.visit.ctx, e)
	case kiosk.DecideOffline:
		go t.decideOffline(t.visit.ctx, e)
	case kiosk.Record:
		t.Log.Info("visit ended", "visit", e.Visit, "outcome", e.Outcome, "reason", e.Reason,
			"offline", e.Offline, "took", t.Now().Sub(t.began).Round(time.Millisecond))
		t.records.put(e)
	default:
		panic(fmt.Sprintf("terminal: no way to do %T", e))
	}
}

func (t *Terminal) startTimer(e kiosk.StartTimer) {
	if timer := t.timers[e.Timer]; timer != nil {
		timer.Stop()
	}
	t.timers[e.Timer] = time.AfterFunc(e.After, func() {
		t.answers.put(kiosk.Elapsed{Timer: e.Timer, Serial: e.Serial})
	})
}
