// Package terminal runs the visit machine. It turns what happens in the slot, on
// the keypad and on the clock into events, carries out the effects that Step
// returns, and passes their answers back as events. Every decision that Step can
// make is left to Step.
//
// One goroutine steps, one owns the card, one writes to the outbox, and each
// request to the hub has its own. None waits for another, so the screen responds
// even when a card or a disk hangs. Run waits for all of them.
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
	"smartkiosk/kiosk/protocol/trust"
)

// Slot is the reader's slot for the card.
type Slot interface {
	// Watch sends the slot's state and then every change, until ctx ends, as
	// kiosk.CardInserted, CardSilent, CardGone, ReaderGone, and, if login pages
	// share the slot, CardClaimed and CardReturned. The first two carry the id of
	// a new visit.
	Watch(ctx context.Context) <-chan kiosk.Event
	// Open connects to the card that began a visit, exclusively until it is closed.
	// It fails with ErrNoCard if that card is gone, even if there is another one.
	Open(ctx context.Context, visit string) (Card, error)
}

// Card is an identity card. The other methods name a certificate by its index in
// the result of Certificates. An error that is not a *PINError and wraps neither a
// *CardError nor ErrNoCard means that the card cannot be read.
type Card interface {
	// Certificates returns the certificates for authentication, DER. The first
	// call may return cached certificates. If none of them is acceptable, the
	// terminal calls it again; the second call must read the card.
	Certificates(ctx context.Context) ([][]byte, error)
	// Authorities returns the CA certificates on the card, DER. The terminal
	// needs them only if no certificate chains to an anchor without them.
	Authorities(ctx context.Context) ([][]byte, error)
	PINStatus(ctx context.Context, certificate int) (kiosk.PINStatus, error)
	VerifyPIN(ctx context.Context, certificate int, pin []byte) error // *PINError if the PIN is wrong
	// VerifyPINOnPad makes the reader ask for the PIN. It is called only if
	// PINStatus.OnReader is true.
	// It fails with a *PadError when the reader sent the card no PIN.
	VerifyPINOnPad(ctx context.Context, certificate int) error
	Signer(ctx context.Context, certificate int) (crypto.Signer, error)
	// Services returns what the card allows beyond the login. It is called after
	// PINStatus.
	Services(ctx context.Context, certificate int) (kiosk.CardServices, error)
	// ChangePIN replaces the PIN. It fails with a *PINError if old is wrong.
	ChangePIN(ctx context.Context, certificate int, old, new []byte) error
	// UnblockPIN sets a new PIN. It fails with a *PINError, about the PUK, if puk is wrong.
	UnblockPIN(ctx context.Context, certificate int, puk, new []byte) error
	// Signing returns the card's keys for signatures of documents, which have certificates
	// and mostly a PIN of their own.
	Signing() SigningCard
	Close() error // resets the card
}

// SigningCard has the certificates for signatures of documents, DER, and their PIN and
// keys. Its methods are like those of Card.
type SigningCard interface {
	Certificates(ctx context.Context) ([][]byte, error)
	PINStatus(ctx context.Context, certificate int) (kiosk.PINStatus, error)
	VerifyPIN(ctx context.Context, certificate int, pin []byte) error
	Signer(ctx context.Context, certificate int) (crypto.Signer, error)
}

// PINError is the error that the card did not accept the PIN.
type PINError struct{ Status kiosk.PINStatus }

func (e *PINError) Error() string {
	if !e.Status.TriesKnown {
		return "wrong PIN"
	}
	return fmt.Sprintf("wrong PIN, %d tries left", e.Status.Tries)
}

// PadResult is the reason why a reader with keys did not send a PIN to the card.
type PadResult int

const (
	PadCancelled PadResult = iota // the holder pressed the reader's cancel key
	PadTimedOut                   // the holder typed nothing
	PadMistyped                   // the holder typed too few or too many digits
	PadRefused                    // the reader did not ask for the PIN
)

// PadError is the error that a reader with keys did not send a PIN to the card. Err
// is the driver's error.
type PadError struct {
	Result PadResult
	Err    error
}

func (e *PadError) Error() string { return e.Err.Error() }
func (e *PadError) Unwrap() error { return e.Err }

// ErrNoCard is the error that the card or its reader is missing. The slot's next
// event says which of the two.
var ErrNoCard = errors.New("no card")

// CardError is the error that a card cannot be used for a known reason.
type CardError struct {
	Reason kiosk.Reason
	Err    error
}

func (e *CardError) Error() string { return e.Err.Error() }
func (e *CardError) Unwrap() error { return e.Err }

// Panel is the display, the keypad and the cues. Its methods must return at once.
type Panel interface {
	Show(kiosk.Screen)
	Sound(kiosk.Cue)
	OpenDoor()
	Keys() <-chan rune // see kiosk.Key
}

// Journal stores outcomes and what was shown of them. Write returns when all entries are
// on disk, or none after an error.
type Journal interface {
	Write(ctx context.Context, entries ...kiosk.Entry) error
}

// Decider knows which cards are acceptable, and decides when no hub can be reached
// (kiosk/offline).
type Decider interface {
	// Choose selects the card's certificate for authentication. authorities are
	// the CA certificates on the card. See trust.Domains.Choose.
	Choose(certs [][]byte, authorities ...[]byte) (trust.Choice, error)
	// ChooseSignature selects the card's certificate for signatures of documents.
	ChooseSignature(certs [][]byte) (trust.Choice, error)
	// Prepare is called while the card signs if Decide will probably follow. It may take
	// a second.
	Prepare(kiosk.Holder)
	// Decide returns the offline verdict on a token over a nonce.
	Decide(ctx context.Context, visit string, token []byte, nonce string) kiosk.Verdict
	// RecordGrant records that the hub has granted a holder access.
	RecordGrant(kiosk.Holder)
}

// PartState says whether a part of the panel works.
type PartState struct {
	Part  kiosk.Part
	Works bool
}

// AliveEvery is how often an idle Terminal calls Alive.
const AliveEvery = 3 * time.Second

// Terminal connects one kiosk's slot, panel, hub and outbox.
type Terminal struct {
	Slot      Slot
	Panel     Panel
	Hub       Hub
	Logins    Logins  // needed if a policy offers logins by phone
	Browser   Browser // needed if Hosted has been true
	Journal   Journal
	Decider   Decider
	Origin    string // the hub's URL, which tokens are made for
	Config    kiosk.Config
	Room      <-chan bool           // whether the outbox has room for more visits; true until the first value
	Parts     <-chan PartState      // of the panel, as they change; see Config.Parts
	Recording <-chan bool           // whether login pages are recorded; false until the first value
	Services  <-chan kiosk.Services // that the policy offers, as they change; none until the first value
	Hosted    <-chan bool           // whether Browser is ready, as it changes; false until the first value
	Alive     func()                // called before each wait for events, at least every AliveEvery; may be nil
	// Pages lays a text out for the panel. It fails if the panel cannot show all of it.
	// nil means that the panel shows no documents.
	Pages func(text string) ([]string, error)
	// InProgress is called when a visit begins (true) or has ended (false); may
	// be nil. See kiosk.Visit.InProgress.
	InProgress func(bool)
	// Lends is called when the card in the slot begins to be a hosted page's (true) or is
	// so no more; may be nil. See kiosk.Visit.LendsCard.
	Lends func(bool)
	// Told is called when a person has learned the outcome of a visit, or will not learn
	// it, before the Journal gets the report; may be nil. If the program ends before
	// that, the next run knows from it what happened.
	Told func(kiosk.RecordShown)
	// ClearStack overwrites what a visit has left on the stack of the goroutine that calls
	// it; may be nil.
	ClearStack func()
	Now        func() time.Time
	Log        *slog.Logger

	answers   mailbox[kiosk.Event]
	timers    map[kiosk.Timer]*time.Timer
	card      cardOwner
	entries   mailbox[kiosk.Entry]
	questions sync.WaitGroup // to the hub and the offline policy
	visit     visitContext
	fetched   fetched
	began     time.Time
}

// Run serves visits until ctx ends. A visit in progress then ends as failed. Run
// returns after all outcomes are in the outbox, the card is closed and all
// goroutines have ended. If one of these takes too long, Run returns an error.
func (t *Terminal) Run(ctx context.Context) error {
	workers, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	t.answers, t.entries = newMailbox[kiosk.Event](workers), newMailbox[kiosk.Entry](workers)
	t.card = cardOwner{terminal: t, jobs: newMailbox[cardJob](workers)}
	t.timers = map[kiosk.Timer]*time.Timer{}
	t.visit = newVisitContext(workers)

	var atWork, recording sync.WaitGroup
	atWork.Go(t.card.run)
	recording.Go(func() { (&recorder{Terminal: t}).run(workers) })

	v := t.serve(ctx)

	// Stopping is an event like any other. Its effects are the last.
	_, effects := v.Step(kiosk.Stopping{})
	for _, effect := range effects {
		t.do(effect)
	}
	for _, timer := range t.timers {
		timer.Stop()
	}
	t.entries.close()
	if !within(t.Config.Timing.Recording, recording.Wait) {
		return errors.New("cannot stop cleanly: the last outcome cannot be written to the outbox")
	}
	stop()
	if !within(t.Config.Timing.Verifying, atWork.Wait) {
		return errors.New("cannot stop cleanly: the card does not answer")
	}
	if !within(t.Config.Timing.Deciding, t.questions.Wait) {
		return errors.New("cannot stop cleanly: a request to the hub or an offline decision does not end")
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
			e = keyEvent(v, kiosk.Key(key))
		case e = <-t.answers.out:
		case room := <-t.Room:
			e = roomEvent(room)
		case part := <-t.Parts:
			e = partEvent(part)
		case on := <-t.Recording:
			e = recordingEvent(on)
		case services := <-t.Services:
			e = kiosk.ServicesSet{Services: services}
		case ready := <-t.Hosted:
			e = kiosk.HostedSet{Ready: ready}
		}
		inProgress, lends := v.InProgress(), v.LendsCard()
		var effects []kiosk.Effect
		v, effects = v.Step(e)
		for _, effect := range effects {
			t.do(effect)
		}
		if now := v.InProgress(); now != inProgress {
			t.clearStack()
			if t.InProgress != nil {
				t.InProgress(now)
			}
		}
		if now := v.LendsCard(); now != lends && t.Lends != nil {
			t.Lends(now)
		}
	}
}

func (t *Terminal) clearStack() {
	if t.ClearStack != nil {
		t.ClearStack()
	}
}

// within reports whether wait returns within the limit.
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

func recordingEvent(on bool) kiosk.Event {
	if on {
		return kiosk.RecordingBegins{}
	}
	return kiosk.RecordingEnds{}
}

func partEvent(s PartState) kiosk.Event {
	if s.Works {
		return kiosk.PartFound{Part: s.Part}
	}
	return kiosk.PartLost{Part: s.Part}
}

// do starts an effect. An effect that takes time runs in a worker and answers
// later.
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
	case kiosk.VerifyPIN, kiosk.VerifyOnPad, kiosk.ChangePIN, kiosk.UnblockPIN, kiosk.Sign, kiosk.PrepareSignature, kiosk.SignDocument:
		t.card.do(t.visit.ctx, e)
	case kiosk.Release:
		t.visit.end()
		t.fetched.forget()
		t.card.do(t.visit.ctx, e)
	case kiosk.GetChallenge:
		t.goAsk(func(ctx context.Context) { t.getChallenge(ctx, e) })
	case kiosk.Authenticate:
		t.goAsk(func(ctx context.Context) { t.authenticate(ctx, e) })
	case kiosk.BeginLogin:
		t.visit.begin()
		t.began = t.Now()
		t.goAsk(func(ctx context.Context) { t.beginLogin(ctx, e) })
	case kiosk.AwaitLogin:
		t.goFollow(func(ctx context.Context) { t.awaitLogin(ctx, e) })
	case kiosk.TypeDigits:
		t.goFollow(func(ctx context.Context) { t.typeDigits(ctx, e) })
	case kiosk.LogInHosted:
		t.visit.begin()
		t.began = t.Now()
		t.goAsk(func(ctx context.Context) { t.logInHosted(ctx, e) })
	case kiosk.TypeHosted:
		t.Browser.Key(rune(e.Key))
	case kiosk.CancelLogin:
		t.cancelLogin(e)
	case kiosk.ListDocuments:
		t.goAsk(func(ctx context.Context) { t.listDocuments(ctx, e) })
	case kiosk.GetDocument:
		t.goAsk(func(ctx context.Context) { t.getDocument(ctx, e) })
	case kiosk.HandIn:
		t.goAsk(func(ctx context.Context) { t.handIn(ctx, e) })
	case kiosk.DecideOffline:
		t.goAsk(func(ctx context.Context) { t.decideOffline(ctx, e) })
	case kiosk.Record:
		if e.Service != "" {
			t.Log.Info("service ended", "visit", e.Visit, "service", e.Service, "outcome", e.Outcome, "reason", e.Reason)
			t.entries.put(e)
			break
		}
		t.Log.Info("visit ended", "visit", e.Visit, "outcome", e.Outcome, "reason", e.Reason,
			"offline", e.Offline, "took", t.Now().Sub(t.began).Round(time.Millisecond))
		t.entries.put(e)
	case kiosk.RecordShown:
		e.At = t.Now()
		t.entries.put(e)
	default:
		panic(fmt.Sprintf("terminal: cannot carry out %T", e))
	}
}

// goAsk calls ask with the context of the present visit in a new goroutine. Run waits
// for it.
func (t *Terminal) goAsk(ask func(context.Context)) {
	ctx := t.visit.ctx
	t.questions.Go(func() { ask(ctx) })
}

// goFollow is goAsk for a question that replaces the one before it.
func (t *Terminal) goFollow(ask func(context.Context)) {
	ctx := t.visit.follow()
	t.questions.Go(func() { ask(ctx) })
}

func (t *Terminal) startTimer(e kiosk.StartTimer) {
	if timer := t.timers[e.Timer]; timer != nil {
		timer.Stop()
	}
	t.timers[e.Timer] = time.AfterFunc(e.After, func() {
		t.answers.put(kiosk.Elapsed{Timer: e.Timer, Serial: e.Serial})
	})
}
