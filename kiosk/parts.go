package kiosk

import "slices"

// This file has the rules for a panel with a failed part.

// reason returns the reason for being out of service without the part.
func (p Part) reason() Reason {
	switch p {
	case Display:
		return DisplayLost
	case Keypad:
		return KeypadLost
	}
	return DoorLost
}

func (s *step) isLost(p Part) bool { return slices.Contains(s.lost, p) }

// partLost ends a visit that needs the part. Any other visit continues, and no new
// one begins after it. A decided outcome is still recorded and announced as far as
// possible: without a display the door opens and the cue sounds.
func (s *step) partLost(p Part) {
	if !s.isLost(p) {
		s.lost = append(slices.Clone(s.lost), p)
	}
	switch {
	case s.state == outOfService:
		s.do(Sound{CueOutOfService}) // not at the start of the program, when every part counts as lost
	case p == Door && (s.loggedIn || s.service != ""), s.state == changing:
		// A service needs no door, and the card already has the codes.
	case s.state == choosing, s.state == referring:
		s.outcomeShown()
	case s.service != "":
		s.finish(Failed, p.reason())
	case !s.undecided():
		s.closeWhenIdle()
	case p == Display:
		// Without a display, a person may block the card because the number of
		// tries left is not visible, and cannot read the reason for a denial.
		s.finish(Failed, DisplayLost)
	case p == Keypad && s.waitsForKeys():
		s.finish(Failed, KeypadLost)
	case p == Door:
		// The kiosk must not say "welcome" when the door cannot open.
		s.finish(Failed, DoorLost)
	}
}

func (s *step) partFound(p Part) {
	s.lost = slices.DeleteFunc(slices.Clone(s.lost), func(l Part) bool { return l == p })
	s.serveAgain()
}
