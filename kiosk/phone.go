package kiosk

import "time"

// This file has the steps of a login by phone: a person without a card logs in on a phone,
// at a broker, and types on the kiosk the four digits that the phone then shows. The hub
// keeps the login (kiosk/hub/login); the kiosk shows its state, passes the digits on, and
// acts on the verdict.

// PhoneState is a step of a login by phone, as the hub reports it.
type PhoneState string

const (
	PhoneWaiting   PhoneState = "waiting"   // for a phone to open the link
	PhoneOpened    PhoneState = "opened"    // the phone is at the broker
	PhoneAnswering PhoneState = "answering" // the hub checks the broker's answer
	PhoneDigits    PhoneState = "digits"    // the phone shows digits to type on the kiosk
	PhoneDeciding  PhoneState = "deciding"  // the digits were right
	PhoneEnded     PhoneState = "ended"     // Outcome says how
)

// PhoneLogin is what the hub reports about a login by phone.
type PhoneLogin struct {
	ID      string
	State   PhoneState
	Link    string        // for the phone, in upper case; it ends with the code of six characters
	Sandbox bool          // the login proves nothing
	Within  time.Duration // how long the state may last
	Wrong   int           // wrong entries of the digits
	Outcome Outcome
	Reason  Reason
	Holder  Holder // who logged in, let in or not; only when ended
}

// Environment says whether logins through a broker prove anything.
type Environment string

const (
	Sandbox    Environment = "sandbox"    // anybody can log in as anybody: no door opens
	Production Environment = "production" // the broker has proven who the person is
)

// Method says how a person logged in.
type Method string

const (
	ByCard  Method = ""      // with a card in the kiosk's reader
	ByPhone Method = "phone" // on a phone, through a broker
	ByPage  Method = "page"  // on a broker's hosted page, in the kiosk's own browser
)

const (
	// maxPhoneState bounds how long a state of a login by phone may last, whatever the hub
	// says.
	maxPhoneState = 10 * time.Minute

	// beginWithin is the hub's time to make a login.
	beginWithin = 5 * time.Second

	// phoneDigits is the number of digits that the phone shows, and maxWrongDigits the number
	// of wrong entries with which the hub ends the login.
	phoneDigits    = 4
	maxWrongDigits = 3

	// linkPages is a number of key presses after which every display shows the first part of
	// the link again, whether it shows the link in one part or in up to four.
	linkPages = 12
)

// BeginsLogin reports whether a key begins a login by phone. The terminal then sends
// LoginWanted in place of KeyPressed.
func (v Visit) BeginsLogin(k Key) bool { return k == KeyPhone && v.state == idle && !v.cardIn }

// beginLogin begins a login by phone, or says that this kiosk offers no such login.
func (s *step) beginLogin(visit string) {
	switch {
	case !s.BeginsLogin(KeyPhone):
		return
	case s.services.Phone == "":
		s.privacy, s.noPhone = false, true
		s.do(Sound{CueRefused})
		s.enter(idle, s.config.Timing.Language)
		return
	}
	s.id, s.privacy, s.noPhone, s.offered, s.open = visit, false, false, s.services, true
	s.byPhone, s.sandbox = true, s.services.Phone != Production
	s.do(BeginLogin{visit, s.ask(), s.language}, Sound{CueKey})
	s.enter(beginningLogin, beginWithin+s.config.Timing.Hub)
}

// loginChanged follows the hub's login. A login of a sandbox is denied at a kiosk whose
// policy says production, whatever the hub says about it.
func (s *step) loginChanged(l PhoneLogin) {
	if s.hosted {
		s.hostedChanged(l)
		return
	}
	wrong := l.Wrong > s.login.Wrong
	s.login, s.notice = l, ""
	s.sandbox = s.sandbox || l.Sandbox
	if l.Sandbox && s.offered.Phone == Production {
		s.finish(Denied, LoginSandbox)
		return
	}
	to := checkingLogin
	switch l.State {
	case PhoneEnded:
		s.loginEnded()
		return
	case PhoneWaiting:
		to = waitingForPhone
	case PhoneOpened:
		to = phoneOpened
	case PhoneDigits:
		to = enteringDigits
	}
	if to != checkingLogin && s.isLost(Keypad) {
		s.finish(Failed, KeypadLost)
		return
	}
	if to != s.state {
		s.wipePINs()
		s.asks, s.digitRefused = CodeLogin, false
		switch {
		case to == enteringDigits && wrong:
			s.do(Sound{CueDenied})
		case to != checkingLogin:
			s.do(Sound{CueAttention})
		}
	}
	if to == enteringDigits {
		s.asks, s.wrongPIN = CodeDigits, l.Wrong > 0
	}
	s.do(AwaitLogin{s.id, s.ask(), l.ID, l.State})
	s.enter(to, min(max(l.Within, 0), maxPhoneState)+s.config.Timing.Hub)
}

// loginEnded finishes the visit with the hub's verdict.
func (s *step) loginEnded() {
	l := s.login
	switch {
	case l.Outcome == Granted, l.Outcome == Denied:
		s.proven = l.Holder != (Holder{}) && !s.sandbox
		s.decided(Verdict{Granted: l.Outcome == Granted, Reason: l.Reason, Holder: l.Holder})
	case l.Outcome == Cancelled, l.Outcome == TimedOut:
		s.finish(l.Outcome, l.Reason)
	default:
		s.finish(Failed, l.Reason)
	}
}

// linkKey handles a key while the kiosk waits for the phone. OK shows the next part of the
// link on a display without room for all of it.
func (s *step) linkKey(k Key) {
	if k == KeyOK && s.notice == "" && s.state == waitingForPhone {
		s.first = (s.first + 1) % linkPages
		s.do(Sound{CueKey})
		return
	}
	s.readerKey(k)
}

// sendDigits passes the digits on. The effect wipes them.
func (s *step) sendDigits() {
	s.do(TypeDigits{s.id, s.ask(), s.login.ID, s.pin}, Sound{CueKey})
	s.pin, s.notice = PIN{}, ""
	s.enter(checkingLogin, maxVerdictWithin+s.config.Timing.Hub)
}

// leavePhone ends the login of a person who puts a card in instead.
func (s *step) leavePhone() {
	if s.cardless() {
		s.abandon(Cancelled, CardInstead)
		s.rest()
	}
}

// cardless reports whether a visit without a card is in progress.
func (v Visit) cardless() bool { return v.byPhone || v.hosted && !v.cardIn }

// giveUpLogin tells the hub that a login that it still keeps is over.
func (s *step) giveUpLogin() {
	if s.login.ID != "" && s.login.State != PhoneEnded {
		s.do(CancelLogin{s.login.ID})
	}
	s.login = PhoneLogin{}
}
