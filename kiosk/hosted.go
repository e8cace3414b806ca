package kiosk

import "slices"

// This file has the steps of a login on a broker's hosted page: the kiosk's browser shows
// the page in place of the panel, the keypad's keys go to it, and the card in the reader is
// the page's. The terminal runs the login (LogInHosted) and reports its steps as
// LoginChanged: PhoneOpened means that the page is there.

// HostedSet says whether the kiosk has a browser for hosted pages.
type HostedSet struct{ Ready bool }

// HostedWanted is KeyPressed{KeyHosted} where that key begins a login on the hosted page
// (see Visit.BeginsHosted), with a new, unique id for the visit.
type HostedWanted struct{ Visit string }

// HostedFailed follows LogInHosted: the page ended without an answer of the broker.
type HostedFailed struct {
	Visit    string
	Question int
	Reason   Reason // BrokerDown, PageRefused or BrowserLost
}

func (HostedSet) event()    {}
func (HostedWanted) event() {}
func (HostedFailed) event() {}

// LogInHosted begins a login, shows the page, and hands in the broker's answer. The answers
// are LoginChanged for each step, up to PhoneEnded, or HostedFailed, HubUnreachable or
// HubFailed. The end of the visit closes the page.
type LogInHosted struct {
	Visit    string
	Question int
	Language string // BCP 47
}

// TypeHosted sends a key to the page.
type TypeHosted struct{ Key Key }

func (LogInHosted) effect() {}
func (TypeHosted) effect()  {}

// openHostedWithin is how long the hub, the broker and the browser have until the page is
// there, and the hub and the broker until the verdict.
const openHostedWithin = beginWithin * 11

// hostedOffered reports whether a person can log in on the hosted page.
func (v Visit) hostedOffered() bool { return v.hostedReady && v.services.Phone != "" }

// BeginsHosted reports whether a key begins a login on the hosted page. The terminal then
// sends HostedWanted in place of KeyPressed.
func (v Visit) BeginsHosted(k Key) bool {
	return k == KeyHosted && v.state == idle && !v.cardIn && v.hostedOffered()
}

// LendsCard reports whether the card in the slot is for the hosted page.
func (v Visit) LendsCard() bool { return v.state == openingHosted || v.state == atHosted }

func (s *step) beginHosted(visit string) {
	if !s.BeginsHosted(KeyHosted) {
		return
	}
	s.id, s.privacy, s.noPhone, s.offered, s.open = visit, false, false, s.services, true
	s.hosted, s.sandbox = true, s.services.Phone != Production
	s.do(LogInHosted{visit, s.ask(), s.language}, Sound{CueKey})
	s.enter(openingHosted, openHostedWithin+s.config.Timing.Hub)
}

// hostedChanged follows the login. A login of a sandbox is denied at a kiosk whose policy
// says production, whatever the hub says about it.
func (s *step) hostedChanged(l PhoneLogin) {
	s.login = l
	s.sandbox = s.sandbox || l.Sandbox
	switch {
	case l.Sandbox && s.offered.Phone == Production:
		s.finish(Denied, LoginSandbox)
	case l.State == PhoneEnded:
		s.loginEnded()
	case l.State == PhoneOpened && s.state == openingHosted:
		s.do(Sound{CueAttention})
		s.enter(atHosted, min(max(l.Within, 0), maxPhoneState)+s.config.Timing.Hub)
	case l.State == PhoneAnswering && s.state == atHosted:
		s.notice = ""
		s.enter(checkingLogin, openHostedWithin+s.config.Timing.Hub)
	}
}

// hostedKey handles a key while the page is there or comes. The kiosk counts the digits, so
// that * without digits asks whether to give up. The page cannot show that question: the
// second * says yes.
func (s *step) hostedKey(k Key) {
	switch {
	case k == KeyCorrect && s.onPage == 0 && s.notice == NoticeLeave:
		s.finish(Cancelled, ByHolder)
		return
	case k == KeyCorrect && s.onPage == 0:
		s.notice = NoticeLeave
		s.do(Sound{CueAttention})
		return
	case s.state == openingHosted:
		s.notice = "" // there is nothing yet that could take the key
		return
	case k.IsDigit():
		s.onPage++
	case k == KeyCorrect:
		s.onPage--
	case k == KeyOK:
		s.onPage = 0
	case k != KeyLanguage:
		return
	}
	s.notice = ""
	s.do(TypeHosted{k}, Sound{CueKey})
}

// lendCard leaves a card that is put in to the page, and reports whether it did.
func (s *step) lendCard() bool {
	if !s.LendsCard() {
		return false
	}
	s.cardIn, s.hasReader = true, true
	return true
}

// waitsForKeys reports whether the visit cannot go on without the keypad.
func (v Visit) waitsForKeys() bool {
	return slices.Contains([]state{enteringPIN, waitingForPhone, phoneOpened, enteringDigits, openingHosted, atHosted}, v.state)
}
