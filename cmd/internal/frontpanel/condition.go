package frontpanel

import (
	"errors"
	"time"
)

const (
	// grace is how long a part may fail before it counts as lost. One message that
	// electrical noise has damaged must not end a visit.
	grace = 3 * time.Second
	// settle is how long a lost part must work before it counts as found. The time
	// doubles with each loss, up to maxSettle, so that a loose contact neither takes
	// the kiosk in and out of service all day nor fills its outbox. It starts at
	// settle again after the part has worked for maxSettle.
	settle    = time.Second
	maxSettle = 10 * time.Minute
)

// errSilent is the error of a part whose state is not known yet.
var errSilent = errors.New("it has not answered yet")

// condition decides when a part whose errors come and go counts as lost or found.
// It is pure: the caller passes the time. The zero condition knows nothing about
// its part and allows no grace.
type condition struct {
	grace time.Duration // how long the part may fail before it is lost

	known    bool      // update was called
	err      error     // the current error; nil if the part works
	reported State     // Found, Lost, or "" before the first report
	due      time.Time // when to report a change to what err says; zero if there is no change
	since    time.Time // when reported was set
	losses   int       // losses in a row, each within maxSettle of the last
}

// newCondition returns the condition of a part that is being opened.
func newCondition(now time.Time) condition {
	return condition{grace: grace, known: true, err: errSilent, due: now.Add(grace)}
}

// update sets the part's error; nil means that it works.
func (c *condition) update(err error, now time.Time) {
	failed, first := c.err != nil, !c.known
	c.err, c.known = err, true
	switch {
	case err == nil && c.reported == Found, err != nil && c.reported == Lost:
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
	return min(settle<<min(c.losses-1, 20), maxSettle)
}

// untilDue returns how long next has nothing to report.
func (c *condition) untilDue(now time.Time) time.Duration {
	if c.due.IsZero() {
		return time.Hour
	}
	return max(c.due.Sub(now), 0)
}

// next returns Found or Lost when that must be reported now, else "".
func (c *condition) next(now time.Time) State {
	if c.due.IsZero() || now.Before(c.due) {
		return ""
	}
	state := Found
	if c.err != nil {
		state = Lost
		if c.reported == Found && now.Sub(c.since) >= maxSettle {
			c.losses = 0
		}
		c.losses++
	}
	c.reported, c.since, c.due = state, now, time.Time{}
	return state
}
