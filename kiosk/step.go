package kiosk

import (
	"maps"
	"slices"
	"time"
)

// Step returns the state after e and the effects to carry out, in order. It has
// no clock, no I/O and no error. Every rule about what a person sees, what is
// recorded and what is wiped is here. An event that does not fit the state, or
// belongs to another visit, changes nothing.
func (v Visit) Step(e Event) (Visit, []Effect) {
	s := step{Visit: v}
	s.handle(e)
	s.show()
	return s.Visit, s.effects
}

// step computes the next state of a Visit.
type step struct {
	Visit
	effects []Effect
}

func (s *step) do(e ...Effect) { s.effects = append(s.effects, e...) }

// show adds a Show effect for the state's screen, unless it is already shown.
func (s *step) show() {
	if screen := s.Screen(); screen != s.shown {
		s.shown = screen
		s.do(Show{screen})
	}
}

func (s *step) handle(e Event) {
	switch e := e.(type) {
	case CardInserted:
		if !s.lendCard() {
			s.inserted(e.Visit)
		}
	case CardSilent:
		if !s.lendCard() && s.inserted(e.Visit) {
			s.finish(Failed, CardMute)
		}
	case CardGone:
		s.gone()
	case CardClaimed:
		if !s.lendCard() {
			s.claim()
		}
	case CardWanted:
		s.yield()
	case CardReturned:
		s.returned()
	case CardUnused:
		if s.claimed {
			s.inserted(e.Visit)
		}
	case RecordingBegins:
		s.Visit.recording = true
	case RecordingEnds:
		s.Visit.recording = false
	case ReaderGone:
		s.abandon(Failed, ReaderLost)
		s.cardIn, s.claimed, s.hasReader = false, false, false
		s.noReader = e
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
	case LoginWanted:
		s.beginLogin(e.Visit)
	case HostedWanted:
		s.beginHosted(e.Visit)
	case HostedSet:
		s.hostedReady = e.Ready
	case Elapsed:
		s.elapsed(e)
	case RecordFailed:
		s.abandon(Failed, OutboxFailed)
		s.outboxFailed = true
		s.leaveService()
	case Recorded:
		s.recorded(e.Visit)
	case ServicesSet:
		s.services = e.Services
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

// unfit reports whether no visit may begin, because its outcome could not be recorded
// or a part that it needs is lost.
func (s *step) unfit() bool { return s.outboxFailed || s.outboxFull || len(s.lost) > 0 }

// inserted begins a visit and reports whether it did. If the kiosk is out of service,
// it plays a sound, because the display may be the part that failed.
func (s *step) inserted(visit string) bool {
	if s.cardIn && !s.claimed { // the card was swapped between two polls of the reader
		s.gone()
	}
	s.leavePhone()
	s.cardIn, s.claimed, s.hasReader = true, false, true
	if s.unfit() {
		s.do(Sound{CueOutOfService})
		return false
	}
	s.id, s.privacy, s.noPhone, s.offered, s.open = visit, false, false, s.services, true
	s.do(ReadCard{visit})
	s.enter(reading, s.config.Timing.Reading)
	s.start(TimerVisit, s.config.Timing.Visit)
	return true
}

// claim leaves the card in the slot to a login page.
func (s *step) claim() {
	s.leavePhone()
	if s.InProgress() {
		return
	}
	s.cardIn, s.claimed, s.hasReader = true, true, true
	if s.state == idle {
		s.rest()
	} else {
		s.serveAgain()
	}
}

// yield ends a visit in favour of a login page, if the holder has typed nothing yet:
// no digit of a PIN, and no PIN before. A visit whose PIN is typed on the reader's keys
// continues, because the kiosk does not see whether a key was pressed there.
func (s *step) yield() {
	untouched := s.state == enteringPIN && s.service == "" && s.pin.Len() == 0 && !s.digitRefused && !s.wrongPIN
	if s.state != reading && !untouched {
		return
	}
	s.abandon(Cancelled, LoginPage)
	s.claimed = true
	s.rest()
}

// returned asks the person to take a card that a login page has used.
func (s *step) returned() {
	if !s.claimed {
		return
	}
	s.claimed = false
	if s.state == idle {
		s.rest()
	}
}

// gone returns to idle from every state. The language stays for a while when the
// visit was not granted, so that the same person can try again in it.
func (s *step) gone() {
	if s.cardless() { // there was no card in it
		return
	}
	s.abandon(Cancelled, CardRemoved)
	s.cardIn, s.claimed, s.hasReader = false, false, true
	if !s.retry {
		s.language = s.config.Languages[0]
	}
	s.retry = false
	s.rest()
}

// serveAgain returns to service if no reason for being out of service is left.
func (s *step) serveAgain() {
	if s.state == outOfService && s.hasReader && !s.unfit() && !s.stopped {
		if !s.cardIn {
			s.language = s.config.Languages[0] // the person who chose another has left
		}
		s.rest()
	}
}

// closeWhenIdle takes the kiosk out of service, unless a visit is in progress or its card is still
// in. In those cases rest takes the kiosk out of service later.
func (s *step) closeWhenIdle() {
	if s.state == idle && !s.cardIn {
		s.leaveService()
	}
}

// rest ends a visit and wipes its data. The kiosk is idle after it; if no visit
// may begin, it is out of service once the card has been taken.
func (s *step) rest() {
	if s.unfit() && !s.cardIn {
		s.leaveService()
		return
	}
	s.release()
	s.wipe()
	s.reminders = 0
	s.stopVisit()
	switch {
	case s.claimed:
		s.enter(idle, 0)
	case s.cardIn:
		s.enter(idle, s.config.Timing.Reminder)
	case s.language != s.config.Languages[0]:
		s.enter(idle, s.config.Timing.Language)
	default:
		s.enter(idle, 0)
	}
}

// outcomeShown ends a visit whose card is still in, or a login by phone. The reason of a
// refusal stays on the screen until the card is taken; nothing else of the visit is kept.
func (s *step) outcomeShown() {
	var refusal Screen
	switch o := s.outcome; o.Outcome {
	case Denied, TimedOut, Failed: // of the visit or of a service
		refusal = Screen{ID: outcomeScreen(o.Outcome), Reason: o.Reason, Offline: o.Offline}
	}
	if s.cardless() {
		refusal = Screen{} // there is no card that could be left in
		if !s.retry {
			s.language = s.config.Languages[0]
		}
		s.retry = false
	}
	s.rest()
	s.refusal = refusal
}

func (s *step) leaveService() {
	if s.state != outOfService && !s.stopped {
		s.do(Sound{CueOutOfService})
	}
	s.release()
	s.wipe()
	s.stopVisit()
	s.enter(outOfService, 0)
}

// abandon records the outcome of an undecided visit, or of a service, that cannot
// continue. It does not wait until the outcome is on disk. An outcome that is being
// recorded stays as it is, but the person does not learn it.
func (s *step) abandon(o Outcome, why Reason) {
	switch {
	case s.service != "" && s.state != referring:
		s.do(s.record(o, why))
		s.service = ""
	case s.undecided():
		s.retry = true
		s.do(s.record(o, why))
		s.giveUpLogin()
		s.release()
		s.do(RecordShown{Visit: s.id, Result: NotShown, Reason: why})
	case s.state == recording && s.outcome.Service == "":
		s.do(RecordShown{Visit: s.id, Result: NotShown, Reason: why})
	}
	s.release()
}

// finish decides the visit, or ends the service in progress. The outcome is shown once
// it is on disk. The card stays open if the holder can use it after that.
func (s *step) finish(o Outcome, why Reason) {
	s.wipePINs()
	s.outcome = s.record(o, why)
	if s.service == "" {
		s.retry, s.loggedIn = o != Granted, o == Granted
	}
	s.service, s.code, s.asks = "", "", CodeLogin
	s.documents.closeDocument(s.outcome.Service == ServiceDocument && o == Completed)
	s.warned, s.visitEnds, s.notice = false, false, ""
	s.stopVisit()
	s.do(s.outcome)
	s.giveUpLogin()
	if s.next() == nothingNext {
		s.release()
	}
	s.enter(recording, s.config.Timing.Recording)
}

// release closes the card.
func (s *step) release() {
	if s.open {
		s.do(Release{})
		s.open = false
	}
}

func (s *step) record(o Outcome, why Reason) Record {
	if s.service != "" {
		return Record{Visit: s.id, Service: s.service, Code: s.code, Outcome: o, Reason: why, Holder: s.holder, Authenticated: s.loggedIn && !s.sandbox,
			Document: s.documents.chosen, Decision: s.documents.decision}
	}
	return Record{
		Visit: s.id, Outcome: o, Reason: why, Holder: s.holder,
		Authenticated: s.token != nil || s.proven, Offline: s.offline, Basis: s.basis, Nonce: s.nonce, Token: s.token,
		Method: s.method(), Sandbox: s.sandbox,
	}
}

func (s *step) method() Method {
	switch {
	case s.byPhone:
		return ByPhone
	case s.hosted:
		return ByPage
	}
	return ByCard
}

func (s *step) recorded(visit string) {
	switch {
	case s.state == recording && visit == s.id:
		s.enter(showing, s.showFor())
		s.show()
		switch s.outcome.Outcome {
		case Granted:
			s.do(Sound{CueGranted})
			if !s.sandbox {
				s.do(OpenDoor{})
			}
		case Completed:
			s.do(Sound{CueGranted})
		case Cancelled:
			s.do(Sound{CueAttention})
		default:
			s.do(Sound{CueDenied})
		}
		if s.outcome.Service == "" {
			s.do(s.outcomeReport())
		}
	case s.outboxFailed:
		s.outboxFailed = false
		s.serveAgain()
	}
}

// outcomeReport returns the report that the outcome has been shown, as far as the parts
// of the panel work.
func (s *step) outcomeReport() RecordShown {
	r := RecordShown{Visit: s.id, Result: Shown, Screen: outcomeScreen(s.outcome.Outcome), Door: s.outcome.Outcome == Granted && !s.sandbox}
	if s.outcome.Outcome == Granted && s.sandbox {
		r.Reason = LoginSandbox
	}
	if r.Door && s.isLost(Door) {
		r.Door, r.Reason = false, DoorLost
	}
	if s.isLost(Display) {
		r.Screen, r.Reason = "", DisplayLost
	}
	return r
}

// enter changes the state. after is its maximum duration; 0 means no limit.
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

// stopVisit stops the timers of the visit as a whole.
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
		s.visitElapsed()
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
	case changing, preparing, signingDocument:
		s.finish(Failed, CardTimeout)
	case listing, fetching, handingIn:
		s.finish(Failed, HubSilent)
	case enteringPIN, choosing, referring, choosingDocument, readingDocument:
		s.nobodyTypes()
	case enteringOnReader:
		s.finish(TimedOut, PINTimeout)
	case awaitingChallenge, authenticating:
		// If no hub could be reached, HubUnreachable came before this timeout.
		s.finish(Failed, HubSilent)
	case decidingOffline:
		s.finish(Failed, Internal)
	case beginningLogin, checkingLogin, openingHosted:
		s.finish(Failed, HubSilent)
	case waitingForPhone, phoneOpened, enteringDigits, atHosted:
		s.finish(TimedOut, LoginExpired) // the hub has ended it, too
	case recording:
		s.abandon(Failed, OutboxFailed)
		s.outboxFailed = true
		s.leaveService()
	case showing:
		if s.next() == menuNext {
			s.choose()
			return
		}
		s.outcomeShown()
	}
}

// idleElapsed reminds of a card that was left in, or returns to the default
// language when the person who chose another has left.
func (s *step) idleElapsed() {
	if !s.cardIn {
		s.language, s.privacy, s.noPhone = s.config.Languages[0], false, false
		return
	}
	if s.reminders++; s.reminders <= politeReminders {
		s.do(Sound{CueAttention})
	} else {
		s.do(Sound{CueReminder})
	}
	switch {
	case s.reminders < politeReminders:
		s.start(TimerState, s.config.Timing.Reminder)
	case s.reminders < maxReminders:
		s.start(TimerState, s.config.Timing.Reminder/2)
	}
}

// togglePrivacy shows what a visit records, or the welcome screen again.
func (s *step) togglePrivacy() {
	s.privacy, s.noPhone = !s.privacy, false
	s.do(Sound{CueKey})
	s.enter(idle, s.config.Timing.Language)
}

// nextLanguage changes the language for the rest of the visit, or for a while if
// no visit is in progress.
func (s *step) nextLanguage() {
	l := s.config.Languages
	s.language = l[(slices.Index(l, s.language)+1)%len(l)]
	s.do(Sound{CueKey})
	switch {
	case s.state == idle && !s.cardIn, s.state == outOfService:
		s.enter(s.state, s.config.Timing.Language)
	case s.state.interactive():
		s.awaitKey()
	}
}
