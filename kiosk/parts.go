package kiosk

import "slices"

// The rules for a panel of which a part fails.

// reason is why there is no service without the part.
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

// partLost ends a visit that cannot go on without the part; any other goes on,
// and none begins after it. What is decided is recorded and told as far as it
// can be: the door opens and the cue sounds without a display.
func (s *step) partLost(p Part) {
	if !s.isLost(p) {
		s.lost = append(slices.Clone(s.lost), p)
	}
	switch {
	case s.state == outOfService:
		s.do(Sound{CueOutOfService}) // at the start there was no other
	case !s.state.undecided():
		s.closeWhenIdle()
	case p == Display:
		// Who does not see how many tries are left may block the card, and
		// who is turned away is to be told why.
		s.finish(Failed, DisplayLost)
	case p == Keypad && s.state == enteringPIN:
		s.finish(Failed, KeypadLost)
	case p == Door:
		// Nobody is to be told "welcome" at a door that stays shut.
		s.finish(Failed, DoorLost)
	}
}

func (s *step) partFound(p Part) {
	s.lost = slices.DeleteFunc(slices.Clone(s.lost), func(l Part) bool { return l == p })
	s.serveAgain()
}
