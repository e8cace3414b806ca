// Package clock knows the earliest time that it can be. A kiosk has no clock that
// runs without power: after a start it may be in the past until somebody sets it,
// and an expired certificate would be valid again. So the kiosk remembers the
// newest time that it has learned, and judges nothing for a time before that.
//
// A remembered time that is wrong must not disable the kiosk for good, so no single
// source can move it far:
//   - The machine's own clock counts at most ownLead ahead of what the hub or a
//     signature has said.
//   - A hub's Date more than maxLead ahead of everything else counts only after a
//     second answer, or a signed time, has confirmed it. The hub's latest answer
//     replaces the one before, also with an earlier time.
//   - The time of a signature (a CRL, the policy) counts only if the machine's clock
//     or the hub agrees that it is not in the future.
//
// TLS to the hub is judged by TLSTime, which stays within the validity of the
// kiosk's own certificate. So the kiosk can always reach the hub that corrects it.
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

	// Tolerance is how far the clock may be behind the remembered time and still
	// be trusted, because other clocks are not exact either.
	Tolerance = time.Minute

	// maxLead is how far one source may be ahead of all others without
	// confirmation.
	maxLead = time.Hour

	// confirmAfter is the time between two answers of the hub that confirm each
	// other.
	confirmAfter = 5 * time.Second

	// ownLead is how far the machine's own clock counts ahead of other sources. It
	// is longer than a kiosk works offline with one policy.
	ownLead = 31 * 24 * time.Hour

	// writeStep is the smallest change that is written to disk.
	writeStep = time.Minute

	// minStep is the smallest change that counts as a step: smaller ones are
	// slewed.
	minStep = 2 * time.Second
)

// remembered are the newest times that were learned, by source.
type remembered struct {
	Hub    time.Time `json:"hub,omitzero"`    // as the hub said last
	Signed time.Time `json:"signed,omitzero"` // in a CRL or policy
	Own    time.Time `json:"own,omitzero"`    // the machine's own clock when something happened
}

// Clock is the machine's clock and what is known about the time from elsewhere. Its
// methods may be called from any goroutine.
type Clock struct {
	wall           func() time.Time
	uptime         func() time.Duration
	records        Records
	floor, ceiling time.Time

	mu       sync.Mutex
	known    remembered
	stored   remembered
	pending  time.Time     // a hub's time that is not confirmed yet; zero if there is none
	pendedAt time.Duration // uptime at which it came
	offset   time.Duration // wall less uptime, when Step last looked
}

// Validity is the validity of the kiosk's own certificate. The time is never before
// its begin, because the certificate exists. The zero Validity sets no limits.
type Validity struct{ NotBefore, NotAfter time.Time }

// Open reads the remembered times. wall is the machine's clock, uptime the time since
// it booted, which nobody can set.
func Open(wall func() time.Time, uptime func() time.Duration, records Records, own Validity) (*Clock, error) {
	c := &Clock{wall: wall, uptime: uptime, records: records, floor: own.NotBefore, ceiling: own.NotAfter}
	text, err := records.Get(bucket, key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the remembered time: %w", err)
	}
	if text != nil {
		if err := json.Unmarshal(text, &c.known); err != nil {
			return nil, fmt.Errorf("cannot read the remembered time: %w", err)
		}
	}
	c.stored = c.known
	c.offset = c.measure()
	return c, nil
}

// newest is the remembered time.
func (c *Clock) newest() time.Time {
	confirmed := latest(c.floor, c.known.Hub, c.known.Signed)
	own := c.known.Own
	if limit := confirmed.Add(ownLead); !confirmed.IsZero() && own.After(limit) {
		own = limit
	}
	return latest(confirmed, own)
}

func latest(times ...time.Time) (t time.Time) {
	for _, other := range times {
		if other.After(t) {
			t = other
		}
	}
	return t
}

// Now is what the machine's clock says, right or wrong.
func (c *Clock) Now() time.Time { return c.wall() }

// At is the time to judge certificates for: the machine's clock, or the remembered
// time while the clock is behind it.
func (c *Clock) At() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at()
}

func (c *Clock) at() time.Time { return latest(c.wall(), c.newest()) }

// TLSTime is the time to check the hub's certificate for: the machine's clock or the
// remembered time, whichever is later, as far as they lie within the validity of the
// kiosk's own certificate. Otherwise it is the begin of that.
func (c *Clock) TLSTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.floor
	for _, candidate := range []time.Time{c.wall(), c.newest()} {
		if c.ceiling.IsZero() || !candidate.After(c.ceiling) {
			t = latest(t, candidate)
		}
	}
	return t
}

// Behind tells whether the machine's clock is behind the remembered time by more than
// Tolerance.
func (c *Clock) Behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind()
}

func (c *Clock) behind() bool { return c.wall().Add(Tolerance).Before(c.newest()) }

// AtLeast learns the time of a signature, such as a CRL's thisUpdate. It writes
// nothing to disk.
func (c *Clock) AtLeast(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(latest(c.at(), c.pending).Add(maxLead)) {
		return // every other source says that this is in the future
	}
	if t.After(c.at().Add(maxLead)) {
		c.confirm()
	}
	c.known.Signed = latest(c.known.Signed, t.UTC())
}

// Told learns the hub's present time. It writes nothing to disk.
func (c *Clock) Told(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = t.UTC()
	if t.After(c.at().Add(maxLead)) {
		passed := c.uptime() - c.pendedAt
		apart := t.Sub(c.pending) - passed
		switch {
		case c.pending.IsZero() || apart.Abs() > Tolerance:
			c.pending, c.pendedAt = t, c.uptime()
			return
		case passed < confirmAfter:
			return
		}
	}
	c.pending = t
	c.confirm()
}

// confirm accepts the pending time of the hub. Times of the other sources that are
// ahead of it were wrong.
func (c *Clock) confirm() {
	t := c.pending
	c.known.Hub, c.pending = t, time.Time{}
	if c.known.Own.After(t.Add(Tolerance)) {
		c.known.Own = t
	}
	if c.known.Signed.After(t.Add(maxLead)) {
		c.known.Signed = t
	}
}

// Note learns the machine's own time because something happened, and writes the
// remembered times to disk if they have changed by a minute or more. A caller that
// calls it only when something happens writes nothing while nothing does.
func (c *Clock) Note() error {
	c.mu.Lock()
	if now := c.wall(); !c.behind() && now.After(c.known.Own) {
		c.known.Own = now.UTC()
	}
	known, stored := c.known, c.stored
	c.mu.Unlock()
	if known.near(stored) {
		return nil
	}
	return c.store(known)
}

// near tells whether it is not worth a write to replace the times by others.
func (r remembered) near(other remembered) bool {
	return latest(r.Hub, r.Signed, r.Own).Sub(latest(other.Hub, other.Signed, other.Own)).Abs() < writeStep
}

func (c *Clock) store(known remembered) error {
	text, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("cannot store the remembered time: %w", err)
	}
	if err := c.records.Put(bucket, map[string][]byte{key: text}); err != nil {
		return fmt.Errorf("cannot store the remembered time: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = known
	return nil
}

// State is what the kiosk believes about the time, and why.
type State struct {
	Now        time.Time `json:"now"`                  // the machine's clock
	At         time.Time `json:"at"`                   // certificates are judged for this time
	TLS        time.Time `json:"tls"`                  // the hub's certificate is checked for this time
	Remembered time.Time `json:"remembered"`           // the earliest time that it can be
	Behind     bool      `json:"behind"`               // the machine's clock is behind that
	Hub        time.Time `json:"hub,omitzero"`         // as the hub said last
	Unproven   time.Time `json:"unconfirmed,omitzero"` // as the hub said, but nothing has confirmed it
	Signed     time.Time `json:"signed,omitzero"`      // newest time of a CRL or policy
	Own        time.Time `json:"own,omitzero"`         // newest time of the machine's own clock
	Floor      time.Time `json:"floor,omitzero"`       // begin of the validity of the kiosk's certificate
}

// State returns what the kiosk believes.
func (c *Clock) State() State {
	tls := c.TLSTime()
	c.mu.Lock()
	defer c.mu.Unlock()
	return State{
		Now: c.wall().UTC(), At: c.at().UTC(), TLS: tls.UTC(), Remembered: c.newest().UTC(), Behind: c.behind(),
		Hub: c.known.Hub, Unproven: c.pending, Signed: c.known.Signed, Own: c.known.Own, Floor: c.floor.UTC(),
	}
}

// Set replaces all remembered times by t, as a technician says, and stores that.
func (c *Clock) Set(t time.Time) error {
	known := remembered{Own: t.UTC()}
	c.mu.Lock()
	c.known, c.pending = known, time.Time{}
	c.mu.Unlock()
	return c.store(known)
}

// Step returns by how much the clock was set since Step was last called; 0 if it was
// not.
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

// measure is the wall clock's time at the machine's boot.
func (c *Clock) measure() time.Duration {
	return time.Duration(c.wall().UnixNano()) - c.uptime()
}
