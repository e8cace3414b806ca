package kiosk

import "time"

// This file has the services after a login: the menu, and what follows each outcome.

// follow is what a person can do once an outcome has been shown.
type follow int

const (
	nothingNext follow = iota
	menuNext           // choose a service
	unblockNext        // unblock the PIN
)

// next returns what follows the outcome.
func (s *step) next() follow {
	o := s.outcome
	switch {
	case s.isLost(Keypad) || s.isLost(Display):
		return nothingNext
	case o.Reason == Blocked && s.unblockWay() != NoWay:
		return unblockNext
	case !s.loggedIn || len(s.entries()) == 0 || o.Service == ServiceChoice && o.Outcome == Completed:
		return nothingNext
	case o.Outcome == Granted || o.Outcome == Completed || o.Outcome == Cancelled:
		return menuNext
	}
	return nothingNext
}

// showFor returns how long the outcome is shown. A person who can go on with a service
// gets the time to read.
func (s *step) showFor() (t time.Duration) {
	switch s.next() {
	case unblockNext:
		return s.config.Timing.PINEntry
	case menuNext:
		return s.config.Timing.Greeting
	}
	return s.config.Timing.Outcome
}

// goOn handles OK while an outcome is shown.
func (s *step) goOn() {
	switch s.next() {
	case menuNext:
		s.do(Sound{CueKey})
		s.choose()
	case unblockNext:
		s.do(Sound{CueKey})
		s.begin(ServiceUnblock, "")
	default:
		if s.byPhone { // there is no card whose removal would end the visit
			s.do(Sound{CueKey})
			s.outcomeShown()
		}
	}
}

// choose shows the menu.
func (s *step) choose() {
	s.start(TimerVisit, s.config.Timing.Visit)
	s.state, s.first = choosing, 0
	s.awaitKey()
}

// menuKey handles a key in the menu. OK moves to the next entry, for displays that
// show few at a time.
func (s *step) menuKey(k Key) {
	entries := s.entries()
	switch n := int(k - '1'); {
	case s.warned && !k.IsDigit():
		s.stayFor(CueAttention) // the key means that the person is there
	case k == KeyCorrect:
		s.do(Sound{CueKey})
		s.outcomeShown()
	case k == KeyOK:
		s.first = (s.first + 1) % len(entries)
		s.stayFor(CueKey)
	case n < 0 || n >= len(entries):
		s.stayFor(CueRefused)
	default:
		s.do(Sound{CueKey})
		e := entries[n]
		if e.Service == ServiceChoice {
			s.begin(e.Service, s.offered.Choices[n].Code)
			return
		}
		s.begin(e.Service, "")
	}
}

// begin begins a service. If the card's command for it is not public, the screen names
// the issuer's own page before anything is typed.
func (s *step) begin(what Service, code string) {
	s.service, s.code, s.wrongPIN = what, code, false
	way := AtKiosk
	switch what {
	case ServiceChange:
		way = s.changeWay()
	case ServiceUnblock:
		way = s.unblockWay()
	}
	switch {
	case what == ServiceChoice:
		s.finish(Completed, "")
		return
	case what == ServiceDocument:
		s.beginDocuments()
	case way == OnPage:
		s.state = referring
		s.awaitKey()
	case what == ServiceChange:
		s.askFor(CodeOld)
	case what == ServiceUnblock:
		s.askFor(CodePUK)
	}
	s.start(TimerVisit, s.config.Timing.Visit)
}

// pageKey leaves the issuer's page: OK and * go back.
func (s *step) pageKey(k Key) {
	switch {
	case s.warned:
		s.stayFor(CueAttention)
	case k == KeyOK || k == KeyCorrect:
		s.do(Sound{CueKey})
		s.service = ""
		if s.next() == menuNext {
			s.choose()
			return
		}
		s.outcomeShown()
	default:
		s.stayFor(CueRefused)
	}
}
