package clock_test

import (
	"errors"
	"testing"
	"time"

	"smartkiosk/kiosk/clock"
)

// disk keeps records in memory, and counts writes.
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

// rig is a machine whose clock a test sets.
type rig struct {
	t    *testing.T
	disk *disk
	now  time.Time
	up   time.Duration
	*clock.Clock
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newRig(t *testing.T) *rig {
	r := &rig{t: t, disk: &disk{values: map[string][]byte{}}, now: noon}
	r.boot(time.Time{})
	return r
}

// boot starts the machine anew, with what is on its disk.
func (r *rig) boot(floor time.Time) {
	r.t.Helper()
	r.up = 0
	var err error
	r.Clock, err = clock.Open(func() time.Time { return r.now }, func() time.Duration { return r.up }, r.disk, floor)
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

// A kiosk that boots in the past judges for the newest time that it saw before.
func TestBootInThePast(t *testing.T) {
	r := newRig(t)
	r.note()
	r.now = time.Unix(0, 0)
	r.boot(time.Time{})
	r.expect(noon, true)
	r.note() // an event in the past moves nothing
	r.expect(noon, true)
	r.now = noon.Add(time.Hour)
	r.expect(r.now, false)
}

func TestFloor(t *testing.T) {
	r := newRig(t)
	r.now = time.Unix(0, 0)
	r.boot(noon)
	r.expect(noon, true)
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
			see(r, noon.Add(time.Minute)) // older
			r.expect(noon.Add(time.Hour), true)
			r.note()
			r.boot(time.Time{})
			r.expect(noon.Add(time.Hour), true)
		})
	}
}

// A clock that was years ahead once is forgotten when the hub says what time
// it is, and not because of a CRL that is older.
func TestRanWild(t *testing.T) {
	r := newRig(t)
	wild := noon.AddDate(70, 0, 0)
	r.now = wild
	r.note()
	r.now = noon
	r.expect(wild, true)
	r.AtLeast(noon.Add(-time.Hour))
	r.expect(wild, true)
	r.Told(noon)
	r.expect(noon, false)
	r.note()
	r.boot(time.Time{})
	r.expect(noon, false)
}

// Nothing is written unless something happens, nor twice within a minute.
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
	if _, err := clock.Open(time.Now, func() time.Duration { return 0 }, r.disk, noon); err == nil {
		t.Error("what cannot be read is no error")
	}
}
