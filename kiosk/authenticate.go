package kiosk

import "slices"

// The steps of a visit from a read card to its verdict. Those that end it
// whatever the state are in step.go.

// key takes a key. A pad of twelve keys has none for the language: there * is
// one, on each screen that stands while nothing goes on. In PIN entry it
// corrects or gives up, and # ends; while the kiosk works a * is somebody's
// who wanted to correct.
func (s *step) key(k Key) {
	switch {
	case k == KeyLanguage, k == KeyCorrect && (s.state == idle || s.state == showing || s.state == outOfService):
		s.nextLanguage()
	case s.state == enteringPIN && s.warned && !k.IsDigit():
		// Pressed for more time, it neither ends a PIN that is not complete nor
		// gives up. Who had meant that hears that the kiosk waits.
		s.stayInPIN(CueAttention)
	case k == KeyCorrect && s.state == enteringOnReader:
		s.finish(Cancelled, ByHolder)
	case s.state != enteringPIN:
		// A key pressed while nothing is asked for says nothing.
	case k.IsDigit():
		s.digit(byte(k))
	case k == KeyCorrect && s.pin.Len() == 0:
		s.finish(Cancelled, ByHolder)
	case k == KeyCorrect:
		s.pin.Wipe()
		s.pin = PIN{}
		s.stayInPIN(CueKey)
	case k == KeyOK && s.pin.Len() < s.minPIN():
		s.stayInPIN(CueRefused)
	case k == KeyOK:
		s.verify()
	}
}

func (s *step) digit(d byte) {
	if s.pin.Len() == s.maxPIN() {
		s.stayInPIN(CueRefused)
		return
	}
	s.pin = s.pin.Append(d)
	s.wrongPIN = false
	s.stayInPIN(CueKey)
}

func (s *step) minPIN() int {
	if s.pinStatus.Min > 0 {
		return min(s.pinStatus.Min, MaxPINDigits)
	}
	return defaultMinPIN
}

func (s *step) maxPIN() int {
	if s.pinStatus.Max > 0 {
		return min(s.pinStatus.Max, MaxPINDigits)
	}
	return MaxPINDigits
}

func (s *step) stayInPIN(c Cue) {
	s.do(Sound{c})
	s.awaitKey()
}

// awaitKey gives the person the whole time for the next key.
func (s *step) awaitKey() {
	s.warned = false
	s.enter(enteringPIN, s.config.Timing.PINEntry)
}

// nobodyTypes warns, and ends the visit when there is no key after that.
func (s *step) nobodyTypes() {
	if s.warned {
		s.finish(TimedOut, PINTimeout)
		return
	}
	s.warned = true
	s.do(Sound{CueAttention})
	s.enter(enteringPIN, s.config.Timing.Warning)
}

// askHubAgain asks for a challenge that was not to be had: a hub that was out
// of reach when the card came may be back by now.
func (s *step) askHubAgain() {
	if s.challenge == challengeFailed {
		s.askChallenge()
	}
}

// askChallenge asks for a challenge, in place of one that grows too old.
func (s *step) askChallenge() {
	s.challenge, s.nonce = challengeAsked, ""
	s.do(GetChallenge{s.id})
	s.start(TimerChallenge, s.config.Timing.Challenge)
}

// verify hands the PIN over to the effect, which wipes it.
func (s *step) verify() {
	s.askHubAgain()
	s.do(VerifyPIN{s.id, s.pin}, Sound{CueKey}) // who cannot see waits for what comes next
	s.pin = PIN{}
	s.enter(verifying, s.config.Timing.Verifying)
}

// answer takes what came back for the visit that goes on.
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
		if s.in(e.Visit, reading, enteringOnReader, verifying, signing) {
			s.finish(Failed, e.Reason)
		}
	case PINAccepted:
		if s.in(e.Visit, enteringOnReader, verifying) {
			s.pinAccepted()
		}
	case PINRejected:
		if s.in(e.Visit, enteringOnReader, verifying) {
			s.pinRejected(e.PIN)
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
	case Signed:
		if s.in(e.Visit, signing) {
			s.signed(e)
		}
	case ChallengeReady:
		if s.in(e.Visit, enteringPIN, enteringOnReader, verifying, awaitingChallenge) {
			s.challenge, s.nonce = challengeReady, e.Nonce
			if s.state == awaitingChallenge {
				s.sign()
			}
		}
	case HubFailed:
		if s.in(e.Visit, enteringPIN, enteringOnReader, verifying, awaitingChallenge, authenticating) {
			s.withoutHub()
		}
	case Decided:
		if s.in(e.Visit, authenticating, decidingOffline) {
			s.decided(e.Verdict)
		}
	}
}

func (s *step) in(visit string, states ...state) bool {
	return visit == s.id && slices.Contains(states, s.state)
}

// cardRead refuses what can be refused without the PIN, and otherwise asks
// for it while the hub is asked for its challenge.
func (s *step) cardRead(e CardRead) {
	s.holder, s.pinStatus = e.Holder, e.PIN
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

// cannotType tells whether the PIN is to be typed on a keypad that is lost.
func (s *step) cannotType() bool { return s.isLost(Keypad) && !s.pinStatus.OnReader }

// askPIN has the person type, on the panel or on the reader.
func (s *step) askPIN() {
	if s.pinStatus.OnReader {
		s.askHubAgain()
		s.do(VerifyOnPad{s.id})
		s.enter(enteringOnReader, s.config.Timing.PadEntry)
		return
	}
	s.awaitKey()
}

// padTimedOut warns, and has the reader ask again, once.
func (s *step) padTimedOut() {
	if s.warned {
		s.finish(TimedOut, PINTimeout)
		return
	}
	s.warned = true
	s.do(Sound{CueAttention})
	s.askPIN()
}

// padMistyped has the reader ask again: the card was asked nothing.
func (s *step) padMistyped() {
	if s.mistyped++; s.mistyped == maxMistyped {
		s.finish(Failed, CardUnreadable)
		return
	}
	s.warned = false
	s.do(Sound{CueRefused})
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
	s.wrongPIN, s.warned = true, false
	s.do(Sound{CueDenied})
	s.askPIN()
}

// pinAccepted signs the challenge, or waits for it: half of the hub's time is
// for the challenge then, the other half for the verdict.
func (s *step) pinAccepted() {
	if s.challenge == challengeAsked {
		s.waited = true
		s.enter(awaitingChallenge, s.config.Timing.Hub/2)
		return
	}
	s.sign()
}

// sign asks for a token over the hub's nonce, or over the kiosk's own where
// there is none (nonce "").
func (s *step) sign() {
	s.stop(TimerChallenge)
	s.do(Sign{s.id, s.nonce})
	s.enter(signing, s.config.Timing.Signing)
}

func (s *step) signed(e Signed) {
	s.nonce, s.token = e.Nonce, e.Token
	if s.challenge != challengeReady {
		s.decideOffline()
		return
	}
	budget := s.config.Timing.Hub
	if s.waited {
		budget /= 2
	}
	s.do(Authenticate{s.id, s.nonce, s.token})
	s.enter(authenticating, budget)
}

// withoutHub goes on without the hub, from wherever it was needed.
func (s *step) withoutHub() {
	switch s.state {
	case authenticating:
		s.decideOffline()
	case awaitingChallenge:
		s.challenge = challengeFailed
		s.sign()
	default:
		s.challenge = challengeFailed
	}
}

func (s *step) decideOffline() {
	s.do(DecideOffline{s.id, s.nonce, s.token})
	s.enter(decidingOffline, s.config.Timing.Deciding)
}

func (s *step) decided(v Verdict) {
	if v.Holder != (Holder{}) {
		s.holder = v.Holder
	}
	s.offline, s.basis = v.Offline, v.Basis
	o := Denied
	if v.Granted {
		o = Granted
	}
	s.finish(o, v.Reason)
}
