// Package clock keeps the earliest time that the present can be. A kiosk has no
// clock that runs without power. After a start its clock may be in the past until
// it is set, and an expired certificate would be valid again. So the kiosk
// remembers the newest time that it has learned, and never checks certificates
// for an earlier time.
//
// A remembered time that is wrong must not disable the kiosk for good, so no single
// source can move it far:
//   - The machine's own clock counts at most ownLead ahead of the times that the
//     hub or a signature has stated.
//   - A hub's Date more than maxLead ahead of everything else counts only after a
//     second answer, or the time of a CRL or an OCSP answer, has confirmed it. While
//     NTP keeps the machine's clock, and that is not behind, two sources disagree, and
//     only the time of a CRL or an OCSP answer decides. The hub's latest answer
//     replaces the previous one, even if its time is earlier.
//   - The time of a CRL or an OCSP answer counts only if the machine's clock or the hub
//     agrees that it is not in the future. The hub has verified the signature, and
//     passes the time on.
//   - The time of the policy comes from the hub's clock, so it does not confirm the hub.
//
// The kiosk checks the hub's TLS certificate for TLSTime, which stays within the
// validity of the kiosk's own certificate. So a kiosk with a wrong clock can still
// reach the hub, which corrects the clock.
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

// remembered holds the newest time of each source.
type remembered struct {
	Hub    time.Time `json:"hub,omitzero"`    // in the hub's last answer
	Signed time.Time `json:"signed,omitzero"` // in a CRL, OCSP answer or policy
	Own    time.Time `json:"own,omitzero"`    // the machine's own clock when something happened
}

// Clock combines the machine's clock with the times of other sources. Its methods may be called from any goroutine.
type Clock struct {
	// Synchronised reports whether NTP keeps the machine's clock; nil means never. Set it
	// before the first call of Told.
	Synchronised func() bool

	wall           func() time.Time
	uptime         func() time.Duration
	records        Records
	floor, ceiling time.Time

	mu       sync.Mutex
	known    remembered
	stored   remembered
	pending  time.Time     // a time of the hub that is not confirmed yet; zero for no time
	pendedAt time.Duration // uptime at which pending was received
	offset   time.Duration // wall minus uptime at the last call of Step
}

// Validity is the validity of the kiosk's own certificate. The time is never before
// NotBefore, because the certificate exists. The zero Validity sets no limits.
type Validity struct{ NotBefore, NotAfter time.Time }

// Open reads the remembered times. wall returns the time of the machine's clock. uptime
// returns the time since boot, which cannot be set.
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

// newest returns the remembered time. The caller holds the lock.
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

// Now returns the time of the machine's clock, right or wrong.
func (c *Clock) Now() time.Time { return c.wall() }

// At returns the time for which to check certificates: the time of the machine's
// clock, or the remembered time if the clock is behind it.
func (c *Clock) At() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at()
}

func (c *Clock) at() time.Time { return latest(c.wall(), c.newest()) }

// TLSTime returns the time for which to check the hub's certificate: the machine's
// clock or the remembered time, whichever is later, of those that lie within the
// validity of the kiosk's own certificate. If neither does, it returns NotBefore of
// that certificate.
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

// Behind reports whether the machine's clock is behind the remembered time by more than
// Tolerance.
func (c *Clock) Behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind()
}

func (c *Clock) behind() bool { return c.wall().Add(Tolerance).Before(c.newest()) }

// AtLeast remembers the time of a CA's signature: thisUpdate of a CRL or an OCSP answer. It
// does not write to disk.
func (c *Clock) AtLeast(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(latest(c.at(), c.pending).Add(maxLead)) {
		return // according to every other source t is in the future
	}
	if t.After(c.at().Add(maxLead)) {
		c.confirm()
	}
	c.known.Signed = latest(c.known.Signed, t.UTC())
}

// Issued remembers the time at which the hub has signed a policy. It counts unless it is
// far ahead of all other sources. It does not write to disk.
func (c *Clock) Issued(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.After(c.at().Add(maxLead)) {
		c.known.Signed = latest(c.known.Signed, t.UTC())
	}
}

// Told remembers the hub's current time, from an answer of the hub. It does not write
// to disk.
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
		case c.Synchronised != nil && c.Synchronised() && !c.behind():
			c.pending, c.pendedAt = t, c.uptime()
			return // hub and NTP disagree
		}
	}
	c.pending = t
	c.confirm()
}

// confirm accepts the pending time of the hub. It discards times of other sources
// that are ahead of it, because they were wrong.
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

// Note remembers the time of the machine's clock, and writes the remembered times to
// disk if they have changed by writeStep or more. The caller calls it only when an
// event has been written, so that an idle kiosk writes nothing.
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

// near reports whether two sets of times are so close that a write is not worth it.
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

// State describes the time that the kiosk uses, and the sources of that time.
type State struct {
	Now        time.Time `json:"now"`                  // the machine's clock
	At         time.Time `json:"at"`                   // certificates of cards are checked for this time
	TLS        time.Time `json:"tls"`                  // the hub's certificate is checked for this time
	Remembered time.Time `json:"remembered"`           // the earliest time that the present can be
	Behind     bool      `json:"behind"`               // the machine's clock is behind Remembered
	Hub        time.Time `json:"hub,omitzero"`         // in the hub's last answer
	Unproven   time.Time `json:"unconfirmed,omitzero"` // in an answer of the hub, but not confirmed
	Signed     time.Time `json:"signed,omitzero"`      // newest time of a CRL, OCSP answer or policy
	Own        time.Time `json:"own,omitzero"`         // newest time of the machine's own clock
	Floor      time.Time `json:"floor,omitzero"`       // NotBefore of the kiosk's certificate
}

// State returns the present State.
func (c *Clock) State() State {
	tls := c.TLSTime()
	c.mu.Lock()
	defer c.mu.Unlock()
	return State{
		Now: c.wall().UTC(), At: c.at().UTC(), TLS: tls.UTC(), Remembered: c.newest().UTC(), Behind: c.behind(),
		Hub: c.known.Hub, Unproven: c.pending, Signed: c.known.Signed, Own: c.known.Own, Floor: c.floor.UTC(),
	}
}

// Set replaces all remembered times by t, at a technician's command, and stores them.
func (c *Clock) Set(t time.Time) error {
	known := remembered{Own: t.UTC()}
	c.mu.Lock()
	c.known, c.pending = known, time.Time{}
	c.mu.Unlock()
	return c.store(known)
}

// Step returns by how much the clock was set since the last call of Step, or 0 if it
// was not set.
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

// measure returns the time at which the machine booted, by its present clock, since
// 1970.
func (c *Clock) measure() time.Duration {
	return time.Duration(c.wall().UnixNano()) - c.uptime()
}
