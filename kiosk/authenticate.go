package kiosk

import "slices"

// This file has the steps of a visit from a read card to its verdict. step.go has
// the steps that can end a visit in any state.

// key handles a key. A pad of twelve keys has no language key, so * selects
// the next language on every screen that asks for no input. During PIN entry *
// removes a digit, and without digits it asks whether to give up. While the kiosk
// works, keys do nothing: a * was probably meant as a correction.
func (s *step) key(k Key) {
	switch {
	case s.LendsCard():
		s.hostedKey(k)
	case k == KeyLanguage, k == KeyCorrect && (s.state == idle || s.state == showing || s.state == outOfService):
		s.nextLanguage()
	case k == KeyPrivacy && s.state == idle && !s.cardIn:
		s.togglePrivacy()
	case (k == KeyRepeat || k == KeyVolume) && s.state.interactive():
		s.awaitKey()
	case s.state == choosing:
		s.menuKey(k)
	case s.state == referring:
		s.pageKey(k)
	case s.state == choosingDocument:
		s.documentKey(k)
	case s.state == readingDocument:
		s.readKey(k)
	case s.state == showing && k == KeyOK:
		s.goOn()
	case s.state == enteringPIN, s.state == enteringDigits:
		s.pinKey(k)
	case s.state == enteringOnReader:
		s.readerKey(k)
	case s.state == waitingForPhone, s.state == phoneOpened:
		s.linkKey(k)
	}
}

// pinKey handles a key during PIN entry on the panel.
func (s *step) pinKey(k Key) {
	switch {
	case s.warned && !k.IsDigit():
		// The person pressed the key to get more time. The key neither submits an
		// incomplete PIN nor cancels the visit.
		s.stayFor(CueAttention)
	case s.notice == NoticeLeave && k == KeyOK:
		s.finish(Cancelled, ByHolder)
	case s.notice == NoticeLeave && k == KeyCorrect:
		s.answerKey("", CueKey)
	case k.IsDigit():
		s.digit(byte(k))
	case k == KeyCorrect:
		s.correct()
	case k == KeyOK && s.digitRefused:
		s.answerKey(NoticeTooLong, CueRefused)
	case k == KeyOK && s.pin.Len() < s.minPIN():
		s.answerKey(NoticeTooShort, CueRefused)
	case k == KeyOK:
		s.submit()
	}
}

// digit adds a digit. The kiosk never sends a truncated PIN to the card: after a
// digit beyond the card's limit the person must type the PIN again.
func (s *step) digit(d byte) {
	if s.asks == CodeDigits && s.pin.Len() == phoneDigits {
		s.answerKey("", CueRefused)
		return
	}
	if s.digitRefused || s.pin.Len() == s.maxPIN() {
		s.digitRefused = true
		s.answerKey(NoticeTooLong, CueRefused)
		return
	}
	s.pin = s.pin.Append(d)
	s.answerKey("", CueKey)
}

// correct removes the last digit, or the whole PIN if a digit of it was refused.
// Without digits it asks whether to give up. The answer is another key, so that a
// key that is held down, or pressed twice by mistake, does not end the visit.
func (s *step) correct() {
	switch {
	case s.digitRefused:
		s.pin.Wipe()
		s.pin, s.digitRefused = PIN{}, false
	case s.pin.Len() == 0:
		s.answerKey(NoticeLeave, CueAttention)
		return
	default:
		s.pin = s.pin.RemoveLast()
	}
	s.answerKey("", CueKey)
}

// readerKey handles a key of the panel while the PIN is typed on the reader.
func (s *step) readerKey(k Key) {
	switch {
	case s.notice == NoticeLeave && k == KeyOK:
		s.finish(Cancelled, ByHolder)
	case s.notice == NoticeLeave:
		s.notice = ""
		s.do(Sound{CueKey})
	case k == KeyCorrect:
		s.notice = NoticeLeave
		s.do(Sound{CueAttention})
	}
}

// answerKey shows a notice, or removes it if n is empty, and plays a cue.
func (s *step) answerKey(n Notice, c Cue) {
	s.notice = n
	s.stayFor(c)
}

func (s *step) stayFor(c Cue) {
	s.do(Sound{c})
	s.awaitKey()
}

// awaitKey gives the person the full time for the next key. It extends a visit whose
// end the person was warned of. The time for the digits of a phone is the hub's: no key
// extends it.
func (s *step) awaitKey() {
	if s.state == enteringDigits {
		return
	}
	if s.visitEnds {
		s.visitEnds = false
		s.extensions++
		s.start(TimerVisit, s.config.Timing.Visit)
	}
	s.warned = false
	s.enter(s.state, s.config.Timing.PINEntry)
}

// nobodyTypes warns the person, or ends the visit if no key followed the warning.
func (s *step) nobodyTypes() {
	switch {
	case s.idling() && (s.visitEnds || s.warned):
		s.outcomeShown()
	case s.visitEnds:
		s.finish(TimedOut, VisitTimeout)
	case s.warned:
		s.finish(TimedOut, PINTimeout)
	default:
		s.warn()
	}
}

// visitElapsed asks whether the person needs more time. It ends a visit only while the
// kiosk waits for a key. The other states of a visit have timeouts of their own, in
// which the person has nothing to answer, so the question waits for them.
func (s *step) visitElapsed() {
	switch {
	case !s.state.interactive():
		s.start(TimerVisit, s.config.Timing.Warning)
	case s.extensions == maxExtensions && s.idling():
		s.outcomeShown()
	case s.extensions == maxExtensions:
		s.finish(TimedOut, VisitTimeout)
	default:
		s.visitEnds = true
		s.warn()
	}
}

// idling reports whether the person may leave without an outcome.
func (s *step) idling() bool { return s.state == choosing || s.state == referring }

// warn asks whether the person needs more time. The next key says yes.
func (s *step) warn() {
	s.warned = true
	if s.notice == NoticeLeave {
		s.notice = ""
	}
	s.do(Sound{CueAttention})
	s.enter(s.state, s.config.Timing.Warning)
}

// askHubAgain requests a challenge again if the first request failed, because the
// hub may be reachable again.
func (s *step) askHubAgain() {
	if s.challenge == challengeUnreachable || s.challenge == challengeRefused {
		s.askChallenge()
	}
}

// askChallenge requests a challenge. It discards the present one.
func (s *step) askChallenge() {
	s.challenge, s.nonce = challengeAsked, ""
	s.do(GetChallenge{s.id, s.ask()})
	s.start(TimerChallenge, s.config.Timing.Challenge)
}

// ask returns the number of the next question.
func (s *step) ask() int {
	s.question++
	return s.question
}

// verify passes the PIN to the VerifyPIN effect, which wipes it.
func (s *step) verify() {
	s.askHubAgain()
	s.do(VerifyPIN{s.id, s.pin}, Sound{CueKey}) // the sound tells a person who cannot see that OK was accepted
	s.pin, s.notice = PIN{}, ""
	s.enter(verifying, s.config.Timing.Verifying)
}

// answer handles an answer for the present visit.
func (s *step) answer(e Event) {
	switch e := e.(type) {
	case CardRead:
		if s.in(e.Visit, reading) {
			s.cardRead(e)
		}
	case CardRefused:
		if s.in(e.Visit, reading) {
			s.holder = e.Holder
			s.finish(Denied, e.Reason)
		}
	case CardFailed:
		if s.in(e.Visit, reading, enteringOnReader, verifying, signing, changing, preparing, signingDocument) {
			s.finish(Failed, e.Reason)
		}
	case PINAccepted:
		if s.in(e.Visit, enteringOnReader, verifying) {
			s.pinAccepted()
		}
	case PINRejected:
		if s.in(e.Visit, enteringOnReader, verifying) {
			s.pinRejected(e.PIN)
		} else if s.in(e.Visit, changing) {
			s.changeRejected(e.PIN)
		} else if s.in(e.Visit, signingDocument) {
			s.signPINRejected(e.PIN)
		}
	case PINChanged:
		if s.in(e.Visit, changing) {
			s.finish(Completed, "")
		}
	case PadCancelled:
		if s.in(e.Visit, enteringOnReader) {
			s.finish(Cancelled, ByHolder)
		}
	case PadTimedOut:
		if s.in(e.Visit, enteringOnReader) {
			s.padTimedOut()
		}
	case PadMistyped:
		if s.in(e.Visit, enteringOnReader) {
			s.padMistyped()
		}
	case PadRefused:
		if s.in(e.Visit, enteringOnReader) {
			s.padRefused()
		}
	case Signed:
		if s.in(e.Visit, signing) {
			s.signed(e)
		}
	case ChallengeReady:
		if e.Question == s.question && s.in(e.Visit, enteringPIN, enteringOnReader, verifying, awaitingChallenge) {
			s.challengeReady(e)
		}
	case HubUnreachable:
		if e.Question == s.question && s.in(e.Visit, enteringPIN, enteringOnReader, verifying, awaitingChallenge, authenticating, beginningLogin, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted, checkingLogin, listing, fetching, handingIn) {
			s.hubUnreachable()
		}
	case HubFailed:
		if e.Question == s.question && s.in(e.Visit, enteringPIN, enteringOnReader, verifying, awaitingChallenge, authenticating, beginningLogin, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted, checkingLogin, listing, fetching, handingIn) {
			s.hubFailed(e.Reason)
		}
	case Decided:
		if e.Question == s.question && s.in(e.Visit, authenticating, decidingOffline) {
			s.decided(e.Verdict)
		}
	case LoginChanged:
		if e.Question == s.question && s.in(e.Visit, beginningLogin, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted, checkingLogin) {
			s.loginChanged(e.Login)
		}
	case HostedFailed:
		if e.Question == s.question && s.in(e.Visit, openingHosted, atHosted) {
			s.finish(Failed, e.Reason)
		}
	default:
		s.documentAnswer(e)
	}
}

func (s *step) in(visit string, states ...state) bool {
	return visit == s.id && slices.Contains(states, s.state)
}

// cardRead denies a card that can be denied before PIN entry. Otherwise it asks for
// the PIN and requests the hub's challenge at the same time.
func (s *step) cardRead(e CardRead) {
	s.holder, s.pinStatus, s.card = e.Holder, e.PIN, e.Services
	s.puk = PINStatus{Min: e.Services.PUKMin, Max: e.Services.PUKMax}
	if e.PIN.blocked() {
		s.finish(Denied, Blocked)
		return
	}
	if s.cannotType() {
		s.finish(Failed, KeypadLost)
		return
	}
	s.askChallenge()
	s.do(Sound{CueAttention})
	s.askPIN()
}

// cannotType reports whether the PIN must be typed on the panel's keypad and the
// keypad is lost.
func (s *step) cannotType() bool { return s.isLost(Keypad) && !s.pinStatus.OnReader }

// askPIN asks for the PIN, on the panel or on the reader.
func (s *step) askPIN() {
	if s.pinStatus.OnReader {
		s.askHubAgain()
		s.do(VerifyOnPad{s.id})
		s.enter(enteringOnReader, s.config.Timing.PadEntry)
		return
	}
	s.state = enteringPIN
	s.awaitKey()
}

// padTimedOut warns the person and makes the reader ask again, once.
func (s *step) padTimedOut() {
	if s.warned {
		s.finish(TimedOut, PINTimeout)
		return
	}
	s.warned = true
	s.do(Sound{CueAttention})
	s.askPIN()
}

// padMistyped makes the reader ask again. The card has received nothing.
func (s *step) padMistyped() {
	if s.mistyped++; s.mistyped == maxMistyped {
		s.finish(Failed, CardUnreadable)
		return
	}
	s.warned = false
	s.do(Sound{CueRefused})
	s.askPIN()
}

// padRefused asks for the PIN on the kiosk's keypad instead, because the reader
// cannot ask for it. Nothing has been typed yet.
func (s *step) padRefused() {
	s.pinStatus.OnReader = false
	if s.cannotType() {
		s.finish(Failed, KeypadLost)
		return
	}
	s.do(Sound{CueAttention})
	s.askPIN()
}

func (s *step) pinRejected(status PINStatus) {
	s.pinStatus.Tries, s.pinStatus.TriesKnown = status.Tries, status.TriesKnown
	if s.pinStatus.blocked() {
		s.finish(Denied, Blocked)
		return
	}
	if s.cannotType() {
		s.finish(Failed, KeypadLost)
		return
	}
	s.wrongPIN, s.warned, s.notice = true, false, ""
	s.do(Sound{CueDenied})
	s.askPIN()
}

// pinAccepted signs the challenge, or waits for it. If a hub was reached but refused
// to issue a challenge, the visit fails.
func (s *step) pinAccepted() {
	s.pinStatus.TriesKnown = false // the card counts from the beginning again
	switch s.challenge {
	case challengeAsked:
		s.enter(awaitingChallenge, s.config.Timing.Hub)
	case challengeRefused:
		s.finish(Failed, s.hubReason)
	default:
		s.sign()
	}
}

func (s *step) challengeReady(e ChallengeReady) {
	s.challenge, s.nonce = challengeReady, e.Nonce
	s.verdictWithin = min(max(e.VerdictWithin, 0), maxVerdictWithin)
	if s.state == awaitingChallenge {
		s.sign()
	}
}

// sign requests a token over the hub's nonce. If there is no challenge, the nonce is
// "" and the terminal makes one.
func (s *step) sign() {
	s.stop(TimerChallenge)
	s.notice = ""
	s.do(Sign{s.id, s.nonce})
	s.enter(signing, s.config.Timing.Signing)
}

func (s *step) signed(e Signed) {
	s.nonce, s.token = e.Nonce, e.Token
	if s.challenge != challengeReady {
		s.decideOffline()
		return
	}
	s.do(Authenticate{s.id, s.ask(), s.nonce, s.token})
	s.enter(authenticating, s.verdictWithin+s.config.Timing.Hub)
}

// hubUnreachable continues without the hub. A login by phone ends.
func (s *step) hubUnreachable() {
	switch s.state {
	case beginningLogin, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted, checkingLogin:
		s.finish(Failed, NoHub)
	case listing, fetching, handingIn:
		s.finish(Failed, HubSilent)
	case authenticating:
		s.decideOffline()
	case awaitingChallenge:
		s.challenge = challengeUnreachable
		s.sign()
	default:
		s.challenge = challengeUnreachable
	}
}

// hubFailed ends a visit that waits for a hub which was reached but returned no
// verdict. The kiosk does not decide in its place, because the hub may know more.
func (s *step) hubFailed(why Reason) {
	switch s.state {
	case authenticating, awaitingChallenge, beginningLogin, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted, checkingLogin, listing, fetching, handingIn:
		s.finish(Failed, why)
	default:
		s.challenge, s.hubReason = challengeRefused, why
	}
}

func (s *step) decideOffline() {
	s.do(DecideOffline{s.id, s.ask(), s.nonce, s.token})
	s.enter(decidingOffline, s.config.Timing.Deciding)
}

func (s *step) decided(v Verdict) {
	if v.Holder != (Holder{}) {
		s.holder = v.Holder
	}
	s.offline, s.basis, s.documents.ticket = v.Offline, v.Basis, v.Documents
	o := Denied
	if v.Granted {
		o = Granted
	}
	s.finish(o, v.Reason)
}
