package frontpanel

import (
	"errors"
	"time"
)

const (
	// grace is how long a part may fail before it is lost: one message that a
	// spark spoilt is no reason to send somebody away.
	grace = 3 * time.Second
	// settle is how long a part that was lost must work before it is found.
	// It doubles with each loss, up to slowest, so that a loose contact does
	// not open and shut the kiosk all day, nor fill its outbox. For a part
	// that has worked for slowest it begins anew.
	settle  = time.Second
	slowest = 10 * time.Minute
)

// errSilent is what a part is taken to fail by that has not been heard of.
var errSilent = errors.New("it has not answered yet")

// condition tells of a part that comes and goes when it has really come or
// gone. It is pure: time comes in. The zero condition has heard of nothing and
// gives no grace.
type condition struct {
	grace time.Duration // how long it may fail before it is lost

	heard  bool
	err    error     // why it fails at the moment; nil if it works
	told   State     // Found, Lost, or "" before the first of them
	due    time.Time // when err's side is to be told; zero: it is told, or is no news
	since  time.Time // of told
	losses int       // one soon after the other
}

// newCondition is that of a part that is looked for from now on.
func newCondition(now time.Time) condition {
	return condition{grace: grace, heard: true, err: errSilent, due: now.Add(grace)}
}

// is takes how the part is: nil if it works, or why it does not.
func (c *condition) is(err error, now time.Time) {
	failed, first := c.err != nil, !c.heard
	c.err, c.heard = err, true
	switch {
	case err == nil && c.told == Found, err != nil && c.told == Lost:
		c.due = time.Time{}
	case err != nil && (!failed || first):
		c.due = now.Add(c.grace)
	case err == nil && (failed || first):
		c.due = now.Add(c.settles())
	}
}

func (c *condition) settles() time.Duration {
	if c.losses == 0 {
		return 0
	}
	return min(settle<<min(c.losses-1, 20), slowest)
}

// in is how long from now there may be something to be told.
func (c *condition) in(now time.Time) time.Duration {
	if c.due.IsZero() {
		return time.Hour
	}
	return max(c.due.Sub(now), 0)
}

// look gives what is to be told now, or "".
func (c *condition) look(now time.Time) State {
	if c.due.IsZero() || now.Before(c.due) {
		return ""
	}
	state := Found
	if c.err != nil {
		state = Lost
		if c.told == Found && now.Sub(c.since) >= slowest {
			c.losses = 0
		}
		c.losses++
	}
	c.told, c.since, c.due = state, now, time.Time{}
	return state
}
