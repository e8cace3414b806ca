// Package clock knows what time it is at least. A kiosk has no clock that runs
// without power: after a start it may be in the past until somebody sets it,
// and a certificate that has expired would be valid again. So the newest time
// that was ever seen is kept, and nothing is judged for a time before it.
package clock

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Records keep a few values across restarts (store.Records).
type Records interface {
	Get(bucket, key string) ([]byte, error)
	Put(bucket string, values map[string][]byte) error
}

const (
	bucket, key = "clock", "newest"

	// Tolerance is how far behind the newest time seen the clock may be and
	// still be trusted: other clocks are not exact either.
	Tolerance = time.Minute

	// writeStep is the least that is worth a write.
	writeStep = time.Minute

	// minStep is the least change that is a step: below it clocks are slewed.
	minStep = 2 * time.Second
)

// seen are the newest times seen.
type seen struct {
	Proven time.Time `json:"proven"` // others have said that it is later
	Own    time.Time `json:"own"`    // by this clock, when something happened
}

func (s seen) newest() time.Time {
	if s.Own.After(s.Proven) {
		return s.Own
	}
	return s.Proven
}

// Clock is the machine's clock and what is known against it. Its methods may be
// called from any goroutine.
type Clock struct {
	wall    func() time.Time
	uptime  func() time.Duration
	records Records

	mu     sync.Mutex
	seen   seen
	kept   time.Time     // the newest on disk
	offset time.Duration // wall less uptime, when it was last looked at
}

// Open reads what is kept. wall is the clock, uptime the time since the machine
// began to run, which nobody sets. The time is at least floor, such as the
// beginning of the validity of the kiosk's own certificate.
func Open(wall func() time.Time, uptime func() time.Duration, records Records, floor time.Time) (*Clock, error) {
	c := &Clock{wall: wall, uptime: uptime, records: records}
	text, err := records.Get(bucket, key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the newest time seen: %w", err)
	}
	if text != nil {
		if err := json.Unmarshal(text, &c.seen); err != nil {
			return nil, fmt.Errorf("cannot read the newest time seen: %w", err)
		}
	}
	c.kept = c.seen.newest()
	c.AtLeast(floor)
	c.offset = c.measure()
	return c, nil
}

// Now is what the clock says, right or wrong.
func (c *Clock) Now() time.Time { return c.wall() }

// At is the time to judge for: what the clock says or, while that is behind
// it, the newest time seen.
func (c *Clock) At() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, newest := c.wall(), c.seen.newest(); now.Before(newest) {
		return newest
	} else {
		return now
	}
}

// Behind tells whether the clock is behind the newest time seen, by more than
// Tolerance.
func (c *Clock) Behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind()
}

func (c *Clock) behind() bool { return c.wall().Add(Tolerance).Before(c.seen.newest()) }

// AtLeast takes note that it is t or later: somebody trusted has written t
// down, as a CA does in a CRL. It writes nothing.
func (c *Clock) AtLeast(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.seen.Proven) {
		c.seen.Proven = t.UTC()
	}
}

// Told takes note that it is t now, as somebody trusted says. What the own
// clock said goes if it was ahead of that: a clock that once ran wild must
// not count for ever. It writes nothing.
func (c *Clock) Told(t time.Time) {
	c.AtLeast(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.Own.After(t.Add(Tolerance)) {
		c.seen.Own = t.UTC()
	}
}

// Note takes note of the own clock, because something happened, and puts the
// newest time seen on disk if it moved by a minute or more. Who calls it only when
// something happens writes nothing while nothing does.
func (c *Clock) Note() error {
	c.mu.Lock()
	if now := c.wall(); !c.behind() && now.After(c.seen.Own) {
		c.seen.Own = now.UTC()
	}
	s, move := c.seen, c.seen.newest().Sub(c.kept)
	c.mu.Unlock()
	if move.Abs() < writeStep {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cannot keep the newest time seen: %w", err)
	}
	if err := c.records.Put(bucket, map[string][]byte{key: text}); err != nil {
		return fmt.Errorf("cannot keep the newest time seen: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = s.newest()
	return nil
}

// Step gives by how much the clock was set since Step was last called; 0 if it
// was not.
func (c *Clock) Step() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := c.measure()
	step := offset - c.offset
	c.offset = offset
	if step.Abs() < minStep {
		return 0
	}
	return step
}

// measure is the wall clock's time when the machine's run began.
func (c *Clock) measure() time.Duration {
	return time.Duration(c.wall().UnixNano()) - c.uptime()
}
