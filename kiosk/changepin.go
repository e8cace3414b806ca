package kiosk

// This file has the steps in which the holder changes or unblocks the PIN: the old PIN
// or the PUK, the new PIN, and the new PIN again.

// askFor asks for the next code.
func (s *step) askFor(c Code) {
	s.asks, s.notice, s.digitRefused = c, "", false
	s.state = enteringPIN
	s.stayFor(CueAttention)
}

// submit takes what was typed, after OK.
func (s *step) submit() {
	switch s.asks {
	case CodeOld, CodePUK:
		s.proof, s.pin = s.pin, PIN{}
		s.askFor(CodeNew)
	case CodeNew:
		if s.service == ServiceChange && s.pin.Equal(s.proof) {
			s.typeAgain(NoticeSame)
			return
		}
		s.fresh, s.pin = s.pin, PIN{}
		s.askFor(CodeRepeat)
	case CodeSign:
		s.signDocument()
	case CodeRepeat:
		if !s.pin.Equal(s.fresh) {
			s.fresh.Wipe()
			s.fresh = PIN{}
			s.asks = CodeNew
			s.typeAgain(NoticeDiffers)
			return
		}
		s.change()
	case CodeDigits:
		s.sendDigits()
	default:
		s.verify()
	}
}

// typeAgain wipes what was typed and says why.
func (s *step) typeAgain(n Notice) {
	s.pin.Wipe()
	s.pin = PIN{}
	s.answerKey(n, CueRefused)
}

// change passes the codes to the card. The effect wipes them.
func (s *step) change() {
	s.pin.Wipe()
	if s.service == ServiceUnblock {
		s.do(UnblockPIN{s.id, s.proof, s.fresh})
	} else {
		s.do(ChangePIN{s.id, s.proof, s.fresh})
	}
	s.do(Sound{CueKey})
	s.pin, s.proof, s.fresh, s.notice = PIN{}, PIN{}, PIN{}, ""
	s.enter(changing, s.config.Timing.Verifying)
}

// changeRejected asks again for the old PIN or the PUK, which was wrong, unless it is
// blocked now.
func (s *step) changeRejected(status PINStatus) {
	code, of, blocked := CodeOld, &s.pinStatus, Blocked
	if s.service == ServiceUnblock {
		code, of, blocked = CodePUK, &s.puk, PUKBlocked
	}
	of.Tries, of.TriesKnown = status.Tries, status.TriesKnown
	switch {
	case status.blocked():
		s.finish(Failed, blocked)
	case s.isLost(Keypad):
		s.finish(Failed, KeypadLost)
	default:
		s.wrongPIN, s.warned = true, false
		s.do(Sound{CueDenied})
		s.asks, s.state = code, enteringPIN
		s.awaitKey()
	}
}
