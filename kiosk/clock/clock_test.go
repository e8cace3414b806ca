package clock_test

import (
	"errors"
	"testing"
	"time"

	"smartkiosk/kiosk/clock"
)

// disk keeps records in memory and counts writes.
type disk struct {
	values map[string][]byte
	writes int
	err    error
}

func (d *disk) Get(bucket, key string) ([]byte, error) { return d.values[bucket+"/"+key], d.err }

func (d *disk) Put(bucket string, values map[string][]byte) error {
	if d.err != nil {
		return d.err
	}
	d.writes++
	for key, value := range values {
		d.values[bucket+"/"+key] = value
	}
	return nil
}

// rig is a machine whose clock the test sets.
type rig struct {
	t    *testing.T
	disk *disk
	now  time.Time
	up   time.Duration
	*clock.Clock
}

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	floor = noon.AddDate(0, 0, -1)
	own   = clock.Validity{NotBefore: floor, NotAfter: floor.AddDate(0, 3, 0)}
)

func newRig(t *testing.T) *rig {
	r := &rig{t: t, disk: &disk{values: map[string][]byte{}}, now: noon}
	r.boot(own)
	return r
}

// boot simulates a restart of the machine with the current content of its disk.
func (r *rig) boot(own clock.Validity) {
	r.t.Helper()
	r.up = 0
	var err error
	r.Clock, err = clock.Open(func() time.Time { return r.now }, func() time.Duration { return r.up }, r.disk, own)
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) pass(d time.Duration) { r.now, r.up = r.now.Add(d), r.up+d }

func (r *rig) note() {
	r.t.Helper()
	if err := r.Note(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) expect(at time.Time, behind bool) {
	r.t.Helper()
	if !r.At().Equal(at) || r.Behind() != behind {
		r.t.Errorf("it is %s, behind %v; want %s, %v", r.At(), r.Behind(), at, behind)
	}
}

// A kiosk whose clock is in the past after boot checks certificates for the newest
// remembered time.
func TestBootInThePast(t *testing.T) {
	r := newRig(t)
	r.note()
	r.now = time.Unix(0, 0)
	r.boot(own)
	r.expect(noon, true)
	r.note() // an earlier time changes nothing
	r.expect(noon, true)
	r.now = noon.Add(time.Hour)
	r.expect(r.now, false)
}

func TestFloor(t *testing.T) {
	r := newRig(t)
	r.now = time.Unix(0, 0)
	r.boot(own)
	r.expect(floor, true)
}

func TestSeen(t *testing.T) {
	for name, see := range map[string]func(*rig, time.Time){
		"hub's answer": func(r *rig, at time.Time) { r.Told(at) },
		"CRL":          func(r *rig, at time.Time) { r.AtLeast(at) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			see(r, noon.Add(clock.Tolerance))
			r.expect(noon.Add(clock.Tolerance), false)
			see(r, noon.Add(time.Hour))
			r.expect(noon.Add(time.Hour), true)
			r.note()
			r.boot(own)
			r.expect(noon.Add(time.Hour), true)
		})
	}
}

// If the machine's clock was once years ahead, it counts only a month ahead of the
// kiosk's certificate. The hub's next answer corrects it.
func TestOwnClockRanWild(t *testing.T) {
	r := newRig(t)
	wild := noon.AddDate(12, 0, 0)
	r.now = wild
	r.note()
	r.now = noon
	limit := floor.AddDate(0, 0, 31)
	r.expect(limit, true)
	if at := r.TLSTime(); !at.Equal(limit) {
		t.Errorf("TLS is judged for %s", at)
	}
	r.boot(own)
	r.AtLeast(noon.Add(-time.Hour))
	if at := r.At(); at.After(noon.AddDate(0, 0, 31)) {
		t.Errorf("after a restart it is %s", at)
	}
	r.Told(noon)
	r.expect(noon, false)
	r.note()
	r.boot(own)
	r.expect(noon, false)
}

// A single wrong Date of the hub changes nothing. If the hub repeats it, the kiosk uses
// it until the hub sends the right time again.
func TestHubClockRanWild(t *testing.T) {
	r := newRig(t)
	wild := noon.AddDate(12, 0, 0)
	r.Told(wild)
	r.expect(noon, false)
	r.Told(wild) // too soon to confirm the first
	r.expect(noon, false)
	r.pass(time.Minute)
	r.Told(noon.AddDate(20, 0, 0)) // does not confirm the first
	r.expect(r.now, false)
	r.pass(time.Minute)
	r.Told(noon.AddDate(20, 0, 0).Add(time.Minute))
	r.expect(noon.AddDate(20, 0, 0).Add(time.Minute), true)
	if at := r.TLSTime(); !at.Equal(r.now) {
		t.Errorf("TLS is judged for %s, beyond the kiosk's certificate", at)
	}
	r.note()
	r.boot(own)
	r.Told(r.now)
	r.expect(r.now, false)
	r.Told(r.now.Add(24 * time.Hour))
	if r.Behind() {
		t.Error("one answer of the hub makes the kiosk's clock count as wrong")
	}
	r.note()
	r.boot(own)
	r.expect(r.now, false)
}

// The time of a CRL or policy from the future counts only if the hub's time agrees.
func TestSignatureFromTheFuture(t *testing.T) {
	r := newRig(t)
	r.AtLeast(noon.Add(2 * time.Hour))
	r.expect(noon, false)
	r.Told(noon.Add(48 * time.Hour))
	r.expect(noon, false)
	r.AtLeast(noon.Add(40 * time.Hour))
	r.expect(noon.Add(48*time.Hour), true)
}

// While NTP keeps the machine's clock, a hub that repeats another time does not prevail,
// and neither does the policy, whose time is the hub's. The signature of a CA decides.
func TestHubAndNTPDisagree(t *testing.T) {
	for name, synchronised := range map[string]bool{"with NTP": true, "without NTP": false} {
		r := newRig(t)
		r.Synchronised = func() bool { return synchronised }
		tell := func() time.Time {
			r.pass(time.Minute)
			hub := r.now.AddDate(0, 0, 40)
			r.Told(hub)
			r.Issued(hub)
			return hub
		}
		tell()
		r.expect(r.now, false)
		if hub := tell(); synchronised {
			r.expect(r.now, false)
		} else {
			r.expect(hub, true)
		}
		hub := tell()
		r.AtLeast(hub.Add(-time.Hour))
		if r.expect(hub, true); t.Failed() {
			t.Fatal(name)
		}
		// NTP and hub agree again.
		r.Told(r.now)
		if !r.At().Before(r.now.Add(2 * time.Hour)) {
			t.Errorf("%s: the time stays at %s", name, r.At())
		}
	}
}

// A policy from the future does not confirm a time of the hub.
func TestIssued(t *testing.T) {
	r := newRig(t)
	r.Issued(noon.Add(30 * time.Minute))
	r.expect(noon.Add(30*time.Minute), true)
	r.Told(noon.AddDate(1, 0, 0))
	r.Issued(noon.AddDate(1, 0, 0))
	r.expect(noon.Add(30*time.Minute), true)
}

// A kiosk can reach the hub even if its clock is beyond the validity of its own
// certificate.
func TestTLSTime(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ now, want time.Time }{
		{noon, noon}, {time.Unix(0, 0), floor}, {own.NotAfter.Add(time.Second), floor}, {own.NotAfter, own.NotAfter},
	} {
		r.now = c.now
		if at := r.TLSTime(); !at.Equal(c.want) {
			t.Errorf("at %s TLS is judged for %s, want %s", c.now, at, c.want)
		}
	}
}

// The time that a technician sets replaces all remembered times.
func TestSet(t *testing.T) {
	r := newRig(t)
	r.now = noon.AddDate(0, 0, 20)
	r.note()
	r.now = noon
	r.expect(noon.AddDate(0, 0, 20), true)
	if err := r.Set(noon); err != nil {
		t.Fatal(err)
	}
	r.expect(noon, false)
	r.boot(own)
	r.expect(noon, false)
	if s := r.State(); !s.Own.Equal(noon) || !s.Remembered.Equal(noon) || s.Behind || !s.Hub.IsZero() {
		t.Errorf("%+v", s)
	}
}

// The clock writes nothing while no event happens, and otherwise at most once a minute.
func TestWritesLittle(t *testing.T) {
	r := newRig(t)
	for range 100 {
		r.pass(time.Hour)
		r.Told(r.now)
		r.AtLeast(r.now)
		r.At()
		r.Behind()
		r.Step()
	}
	if r.disk.writes != 0 {
		t.Errorf("%d writes while idle", r.disk.writes)
	}
	for range 60 {
		r.note()
		r.pass(time.Second)
	}
	if r.disk.writes != 1 {
		t.Errorf("%d writes in a minute", r.disk.writes)
	}
}

func TestStep(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ set, want time.Duration }{
		{0, 0}, {time.Second, 0}, {-time.Second, 0}, {time.Hour, time.Hour}, {0, 0}, {-50 * 365 * 24 * time.Hour, -50 * 365 * 24 * time.Hour}, {0, 0},
	} {
		r.pass(time.Minute)
		r.now = r.now.Add(c.set)
		if got := r.Step(); got != c.want {
			t.Errorf("set by %s: a step of %s", c.set, got)
		}
	}
}

func TestDiskFails(t *testing.T) {
	r := newRig(t)
	r.disk.err = errors.New("no space left on device")
	if err := r.Note(); err == nil {
		t.Error("a note that is not on disk is no error")
	}
	r.disk.err = nil
	r.note()
	if r.disk.writes != 1 {
		t.Error("what could not be written was not written later")
	}
	r.disk.values["clock/newest"] = []byte("x")
	if _, err := clock.Open(time.Now, func() time.Duration { return 0 }, r.disk, own); err == nil {
		t.Error("what cannot be read is no error")
	}
}
