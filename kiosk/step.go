package kiosk

import (
	"maps"
	"slices"
	"time"
)

// Step gives the state after e and what is to be done about it, in order.
// It has no clock, no I/O and no error: every rule about what a person sees,
// what is recorded and what is wiped is in it. An event that does not fit the
// state, or belongs to another visit, changes nothing.
func (v Visit) Step(e Event) (Visit, []Effect) {
	s := step{Visit: v}
	s.handle(e)
	s.show()
	return s.Visit, s.effects
}

// step is a Visit on its way to the next state.
type step struct {
	Visit
	effects []Effect
}

func (s *step) do(e ...Effect) { s.effects = append(s.effects, e...) }

// show asks for the state's screen, if it is not the one shown already.
func (s *step) show() {
	if screen := s.Screen(); screen != s.shown {
		s.shown = screen
		s.do(Show{screen})
	}
}

func (s *step) handle(e Event) {
	switch e := e.(type) {
	case CardInserted:
		s.inserted(e.Visit)
	case CardSilent:
		if s.inserted(e.Visit) {
			s.finish(Failed, CardMute)
		}
	case CardGone:
		s.gone()
	case ReaderGone:
		s.abandon(Failed, ReaderLost)
		s.cardIn, s.hasReader = false, false
		s.leaveService()
	case PartLost:
		s.partLost(e.Part)
	case PartFound:
		s.partFound(e.Part)
	case Stopping:
		s.abandon(Failed, Stopped)
		s.stopped = true
		s.leaveService()
	case KeyPressed:
		s.key(e.Key)
	case Elapsed:
		s.elapsed(e)
	case RecordFailed:
		s.abandon(Failed, OutboxFailed)
		s.outboxFailed = true
		s.leaveService()
	case Recorded:
		s.recorded(e.Visit)
	case RoomEnds:
		s.outboxFull = true
		s.closeWhenIdle()
	case RoomAgain:
		s.outboxFull = false
		s.serveAgain()
	default:
		s.answer(e)
	}
}

// unfit tells whether no visit may begin: it could not be written down, or a
// part that it needs is lost.
func (s *step) unfit() bool { return s.outboxFailed || s.outboxFull || len(s.lost) > 0 }

// inserted begins a visit and tells whether it did. Who is not served hears
// it: the display may be what is lost.
func (s *step) inserted(visit string) bool {
	if s.cardIn { // a swap whose removal nobody saw
		s.gone()
	}
	s.cardIn, s.hasReader = true, true
	if s.unfit() {
		s.do(Sound{CueOutOfService})
		return false
	}
	s.id = visit
	s.do(ReadCard{visit})
	s.enter(reading, s.config.Timing.Reading)
	s.start(TimerVisit, s.config.Timing.Visit)
	return true
}

// gone is the way back to idle from everywhere.
func (s *step) gone() {
	s.abandon(Cancelled, CardRemoved)
	s.cardIn, s.hasReader = false, true
	s.language = s.config.Languages[0]
	s.rest()
}

// serveAgain ends being out of service, if nothing is left to be so for.
func (s *step) serveAgain() {
	if s.state == outOfService && s.hasReader && !s.unfit() && !s.stopped {
		if !s.cardIn {
			s.language = s.config.Languages[0] // whoever chose another is gone
		}
		s.rest()
	}
}

// closeWhenIdle leaves service, unless a visit goes on or its card is still in:
// then rest does.
func (s *step) closeWhenIdle() {
	if s.state == idle && !s.cardIn {
		s.leaveService()
	}
}

// rest ends a visit: idle, with nothing of it left. When no other may begin
// the kiosk is out of service, once the card is taken.
func (s *step) rest() {
	if s.unfit() && !s.cardIn {
		s.leaveService()
		return
	}
	s.wipe()
	s.reminders = 0
	s.stopVisit()
	if s.cardIn {
		s.enter(idle, s.config.Timing.Reminder)
	} else {
		s.enter(idle, 0)
	}
}

func (s *step) leaveService() {
	if s.state != outOfService && !s.stopped {
		s.do(Sound{CueOutOfService})
	}
	s.wipe()
	s.stopVisit()
	s.enter(outOfService, 0)
}

// abandon records the outcome of a visit that cannot go on and does not wait
// for it; nothing of a decided visit is recorded again.
func (s *step) abandon(o Outcome, why Reason) {
	if s.state.undecided() {
		s.do(s.record(o, why), Release{})
	}
}

// finish decides the visit. The outcome is shown once it is on disk.
func (s *step) finish(o Outcome, why Reason) {
	s.pin.Wipe()
	s.pin = PIN{}
	s.outcome = s.record(o, why)
	s.stopVisit()
	s.do(s.outcome, Release{})
	s.enter(recording, s.config.Timing.Recording)
}

func (s *step) record(o Outcome, why Reason) Record {
	return Record{
		Visit: s.id, Outcome: o, Reason: why, Holder: s.holder,
		Authenticated: s.token != nil, Offline: s.offline, Basis: s.basis, Nonce: s.nonce, Token: s.token,
	}
}

func (s *step) recorded(visit string) {
	switch {
	case s.state == recording && visit == s.id:
		s.enter(showing, s.config.Timing.Outcome)
		s.show()
		switch s.outcome.Outcome {
		case Granted:
			s.do(Sound{CueGranted}, OpenDoor{})
		case Cancelled:
			s.do(Sound{CueAttention})
		default:
			s.do(Sound{CueDenied})
		}
	case s.outboxFailed:
		s.outboxFailed = false
		s.serveAgain()
	}
}

// enter changes the state; after is how long it may last, 0 for ever.
func (s *step) enter(to state, after time.Duration) {
	s.state = to
	if after > 0 {
		s.start(TimerState, after)
	} else {
		s.stop(TimerState)
	}
}

func (s *step) start(t Timer, after time.Duration) {
	s.lastSerial++
	s.serials = maps.Clone(s.serials)
	if s.serials == nil {
		s.serials = map[Timer]int{}
	}
	s.serials[t] = s.lastSerial
	s.do(StartTimer{t, s.lastSerial, after})
}

func (s *step) stop(t Timer) {
	if _, runs := s.serials[t]; runs {
		s.serials = maps.Clone(s.serials)
		delete(s.serials, t)
		s.do(StopTimer{t})
	}
}

// stopVisit ends the timers of a visit as a whole.
func (s *step) stopVisit() {
	s.stop(TimerVisit)
	s.stop(TimerChallenge)
}

func (s *step) elapsed(e Elapsed) {
	if serial, runs := s.serials[e.Timer]; !runs || serial != e.Serial {
		return
	}
	s.serials = maps.Clone(s.serials)
	delete(s.serials, e.Timer)
	switch e.Timer {
	case TimerVisit:
		s.finish(TimedOut, VisitTimeout)
	case TimerChallenge:
		s.askChallenge()
	default:
		s.stateElapsed()
	}
}

func (s *step) stateElapsed() {
	switch s.state {
	case idle:
		s.idleElapsed()
	case outOfService:
		s.language = s.config.Languages[0]
	case reading, verifying, signing:
		s.finish(Failed, CardTimeout)
	case enteringPIN:
		s.nobodyTypes()
	case enteringOnReader:
		s.finish(TimedOut, PINTimeout)
	case awaitingChallenge, authenticating:
		s.withoutHub()
	case decidingOffline:
		s.finish(Failed, Internal)
	case recording:
		s.outboxFailed = true
		s.leaveService()
	case showing:
		s.rest()
	}
}

// idleElapsed reminds of a card left in, or forgets a language that somebody
// chose who then went away.
func (s *step) idleElapsed() {
	if !s.cardIn {
		s.language = s.config.Languages[0]
		return
	}
	s.do(Sound{CueAttention})
	if s.reminders++; s.reminders < maxReminders {
		s.start(TimerState, s.config.Timing.Reminder)
	}
}

// nextLanguage changes the language for the rest of the visit, or for a while
// where there is none.
func (s *step) nextLanguage() {
	l := s.config.Languages
	s.language = l[(slices.Index(l, s.language)+1)%len(l)]
	s.do(Sound{CueKey})
	switch {
	case s.state == idle && !s.cardIn, s.state == outOfService:
		s.enter(s.state, s.config.Timing.Language)
	case s.state == enteringPIN:
		s.awaitKey()
	}
}
