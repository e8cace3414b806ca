package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// onNewSystem reports what is wrong after a good update.
func (m *machine) onNewSystem() error {
	files, err := os.ReadDir(m.dir)
	switch last := m.lastEvent(); {
	case m.booted != "rootfs.1" || !m.slots["rootfs.1"].good || m.primary != "rootfs.1":
		return fmt.Errorf("the machine runs %s, primary %s, new slot %+v", m.booted, m.primary, m.slots["rootfs.1"])
	case last.State != event.UpdateGood || last.Version != "1.5.0" || last.From != "1.4.0" || last.Bundle != m.offer.Digest:
		return fmt.Errorf("the last event is %+v", last)
	case err != nil || len(files) > 0:
		return fmt.Errorf("%d files are left, %v", len(files), err)
	}
	return nil
}

// onOldSystem reports what is wrong after an update that was not kept.
func (m *machine) onOldSystem(state event.UpdateState, reason event.UpdateReason) error {
	files, _ := os.ReadDir(m.dir) // there may be no folder
	switch last := m.lastEvent(); {
	case m.booted != "rootfs.0" || m.primary != "rootfs.0" || m.slots["rootfs.0"].tries == 0:
		return fmt.Errorf("the machine runs %s, primary %s, old slot %+v", m.booted, m.primary, m.slots["rootfs.0"])
	case last.State != state || last.Reason != reason || last.Problem == "":
		return fmt.Errorf("the last event is %+v, want %s, %s", last, state, reason)
	case len(files) > 0:
		return fmt.Errorf("%d files are left", len(files))
	}
	return nil
}

func TestUpdate(t *testing.T) {
	m := newMachine(t)
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	if err := m.onNewSystem(); err != nil {
		t.Error(err)
	}
	if len(m.events) != 2 || m.events[0].State != event.UpdateInstalled {
		t.Errorf("the events are %+v", m.events)
	}
	calls := m.calls
	if err := m.run(); err != nil || m.calls > calls+1 { // one MarkGood for this start
		t.Errorf("an update that is done causes %d calls, %v: %q", m.calls-calls, err, m.log[calls:])
	}
}

// Each wrong bundle, and each fault of the new system, leaves the kiosk on the old one. The
// hub and the technician learn why, and it is not tried again.
func TestBadUpdates(t *testing.T) {
	for _, c := range []struct {
		what    string
		do      func(m *machine)
		state   event.UpdateState
		reason  event.UpdateReason
		mark    string
		problem string
	}{
		{"altered", func(m *machine) { m.served = bytes.Replace(bundle, []byte("new"), []byte("bad"), 1) }, event.UpdateRefused, event.UpdateAltered, "u1", "its SHA-256 is"},
		{"signed by somebody else", func(m *machine) { m.foreign = true }, event.UpdateRefused, event.UpdateSignature, "u2", "self-signed certificate"},
		{"older", func(m *machine) { m.offer.Version = "1.3.9" }, event.UpdateRefused, event.UpdateOlder, "u3", "the kiosk has version 1.4.0"},
		{"older inside", func(m *machine) { m.contains = "1.3.9" }, event.UpdateRefused, event.UpdateOlder, "u3", "it contains version 1.3.9"},
		{"same inside", func(m *machine) { m.contains = "1.4.0" }, event.UpdateRefused, event.UpdateOlder, "u3", "it contains version 1.4.0"},
		{"other version inside", func(m *machine) { m.contains = "1.6.0" }, event.UpdateRefused, event.UpdateAltered, "u1", "it contains version 1.6.0"},
		{"for another board", func(m *machine) { m.offer.Compatible = "smartkiosk-amd64" }, event.UpdateRefused, event.UpdateBoard, "u4", "this machine is smartkiosk-arm64"},
		{"for another board inside", func(m *machine) { m.for_ = "fridge" }, event.UpdateRefused, event.UpdateBoard, "u4", "it is for fridge"},
		{"too large", func(m *machine) { m.room = 1000 }, event.UpdateRefused, event.UpdateTooLarge, "u5", "the disk has room for 1000"},
		{"damaged inside", func(m *machine) { m.damaged = "failed to mount bundle" }, event.UpdateRefused, event.UpdateInstall, "u6", "failed to mount bundle"},
		{"does not start", func(m *machine) { m.dead = true }, event.UpdateFellBack, event.UpdateBoot, "u7", "did not start"},
		{"no reader", func(m *machine) { m.broken = errors.New("no card reader") }, event.UpdateFellBack, event.UpdateUnhealthy, "u8", "no card reader"},
		{"loses events", func(m *machine) { m.lost = true }, event.UpdateFellBack, event.UpdateUnhealthy, "u8", "the outbox has lost events: its last one is 3"},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := newMachine(t)
			c.do(m)
			if err := m.run(); err != nil {
				t.Fatal(err)
			}
			if err := m.onOldSystem(c.state, c.reason); err != nil {
				t.Error(err)
			}
			if last := m.lastEvent(); !strings.Contains(last.Problem, c.problem) || m.mark != c.mark {
				t.Errorf("problem %q, mark %q", last.Problem, m.mark)
			}
			events := len(m.events)
			if err := m.run(); err != nil || len(m.events) != events {
				t.Errorf("it was tried again: %v, %+v", err, m.events[events:])
			}
			// The next version is another matter.
			m.now = m.now.Add(time.Hour)
			next := newMachine(t)
			m.foreign, m.contains, m.for_, m.damaged, m.dead, m.broken, m.lost, m.room, m.served = false, "", next.for_, "", false, nil, false, next.room, next.served
			m.offer = next.offer
			if c.what != "older" && c.what != "for another board" { // their offers had the digest of this one
				m.served = append(bytes.Clone(bundle), "2"...)
				m.offer.Digest, m.offer.Size = digestOfBytes(m.served), int64(len(m.served))
			} else {
				m.saved = nil
			}
			if err := errors.Join(m.run(), m.onNewSystem()); err != nil {
				t.Errorf("the next update: %v", err)
			}
		})
	}
}

// The power may be cut before or after every call: the next start goes on, and the end is the
// same. Two cuts in a row, too.
func TestPowerCuts(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(m *machine)
		end  func(m *machine) error
	}{
		{"good", func(*machine) {}, (*machine).onNewSystem},
		{"dead", func(m *machine) { m.dead = true }, func(m *machine) error { return m.onOldSystem(event.UpdateFellBack, event.UpdateBoot) }},
		{"unhealthy", func(m *machine) { m.broken = errors.New("no card reader") }, func(m *machine) error { return m.onOldSystem(event.UpdateFellBack, event.UpdateUnhealthy) }},
		{"foreign", func(m *machine) { m.foreign = true }, func(m *machine) error { return m.onOldSystem(event.UpdateRefused, event.UpdateSignature) }},
		{"altered", func(m *machine) { m.served = bytes.Repeat([]byte("x"), len(bundle)) }, func(m *machine) error { return m.onOldSystem(event.UpdateRefused, event.UpdateAltered) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			whole := newMachine(t)
			c.do(whole)
			if err := errors.Join(whole.run(), c.end(whole)); err != nil {
				t.Fatal(err)
			}
			for at := 1; at <= whole.calls; at++ {
				for _, after := range []bool{false, true} {
					m := newMachine(t)
					c.do(m)
					m.cutAt, m.after = at, after
					if err := errors.Join(m.run(), c.end(m)); err != nil {
						t.Errorf("cut at call %d (%s), after it: %v: %v\n%q", at, m.log[at-1], after, err, m.log)
					}
				}
			}
		})
	}
}

// After a cut the end of the file may be what was never written: zeros, or less.
func TestCutWhileWriting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	large := make([]byte, 3*piece+1234)
	for i := range large {
		large[i] = byte(random.Uint32())
	}
	for _, left := range []int{0, 100, piece - 1, piece, 2*piece + 5, len(large)} {
		m := newMachine(t)
		m.served, m.offer.Digest, m.offer.Size = large, digestOfBytes(large), int64(len(large))
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		file := bytes.Clone(large[:left])
		clear(file[max(0, (left/piece-1)*piece):]) // the last piece was not synced
		a := m.agent()
		a.Offer(m.offer)
		if _, err := a.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(a.part(), file, 0o600), os.WriteFile(m.dir+"/leaving", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.run(), m.onNewSystem()); err != nil {
			t.Errorf("%d bytes were left: %v", left, err)
		}
	}
}

func digestOfBytes(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A download goes on where it ended, also when every answer breaks.
func TestPoorLine(t *testing.T) {
	m := newMachine(t)
	m.lineBreak = 5000
	a := m.agent()
	a.Offer(m.offer)
	steps := 0
	for a.state.Step != fetched && steps < 20 {
		steps++
		_, _ = a.step(t.Context())
	}
	if steps != 6 { // 26,000 bytes, the last step without an error
		t.Errorf("the download took %d steps", steps)
	}
}

// During a visit nothing is fetched, installed or restarted. A visit that begins stops a
// download.
func TestVisits(t *testing.T) {
	m := newMachine(t)
	m.visit = true
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(m.log, " "), "fetch") {
		t.Errorf("during a visit: %q", m.log)
	}
	m.visit = false
	a := m.agent()
	a.load()
	a.Offer(m.offer)
	quiet, begin := context.WithCancel(t.Context())
	a.Idle = func() (context.Context, bool) { return quiet, quiet.Err() == nil }
	a.Hub = hubThat(func() { begin() })
	if wait, err := a.step(t.Context()); wait != busyPause || err != nil {
		t.Errorf("a visit began during the download: %s, %v", wait, err)
	}
}

// hubThat is a hub that does something and then answers no more.
type hubThat func()

func (h hubThat) UpdateBundle(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, error) {
	h()
	<-ctx.Done()
	return nil, ctx.Err()
}

// A bundle that is here waits for its hours, and for a kiosk that works.
func TestWaits(t *testing.T) {
	m := newMachine(t)
	m.offer.When = hubpolicy.Calendar{Zone: "Europe/Oslo", Hours: []hubpolicy.Span{{From: 22 * 60, To: 5 * 60}}}
	if err := m.offer.When.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := m.run(); err != nil || strings.Contains(strings.Join(m.log, " "), "install") {
		t.Fatalf("at noon: %v, %q", err, m.log)
	}
	m.now, m.sick = m.now.Add(10*time.Hour), errors.New("no card reader")
	if err := m.run(); err == nil || !strings.Contains(err.Error(), "waits until the kiosk works: no card reader") {
		t.Fatalf("at 23:00 without a reader: %v", err)
	}
	m.sick = nil
	if err := errors.Join(m.run(), m.onNewSystem()); err != nil {
		t.Error(err)
	}
}

// The hub withdraws an update: what was fetched is deleted.
func TestWithdrawn(t *testing.T) {
	m := newMachine(t)
	m.sick = errors.New("no card reader")
	_ = m.run() // it is fetched now
	offer := m.offer
	m.offer = nil
	a := m.agent()
	a.load()
	if a.state.Step != fetched {
		t.Fatalf("the step is %s", a.state.Step)
	}
	for range 3 {
		if _, err := a.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(m.dir); err != nil || len(files) > 0 || a.state.Step != "" {
		t.Errorf("%d files are left, step %q, %v", len(files), a.state.Step, err)
	}
	m.offer, m.sick = offer, nil
	if err := errors.Join(m.run(), m.onNewSystem()); err != nil {
		t.Errorf("offered again: %v", err)
	}
}

// A disk without room is looked at again after a day.
func TestRoomAgain(t *testing.T) {
	m := newMachine(t)
	m.room = 10
	_ = m.run()
	m.room = 1 << 30
	if err := errors.Join(m.run(), m.onOldSystem(event.UpdateRefused, event.UpdateTooLarge)); err != nil {
		t.Fatal(err)
	}
	m.now = m.now.Add(roomAgain)
	if err := errors.Join(m.run(), m.onNewSystem()); err != nil {
		t.Error(err)
	}
}

// A kiosk without RAUC takes no updates, and says so.
func TestWithoutRAUC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.absent = true
		a := m.agent()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		a.Offer(m.offer)
		time.Sleep(24 * time.Hour)
		if s := a.Status(); !s.Absent || s.Offered != "1.5.0" || s.Step != "" || m.calls > 0 {
			t.Errorf("the status is %+v after %q", s, m.log)
		}
		stop()
		<-done
	})
}

// Run begins when the hub offers an update, and tries again while the hub cannot be reached.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.served = nil // the hub lacks the bundle
		a := m.agent()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		synctest.Wait()
		if s := a.Status(); s.Version != "1.4.0" || s.Step != "" || s.Absent {
			t.Errorf("without an offer: %+v", s)
		}
		a.Offer(m.offer)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if s := a.Status(); s.Step != "fetching" || !strings.Contains(s.Problem, "range is not satisfiable") {
			t.Errorf("without a hub: %+v", s)
		}
		if n := strings.Count(strings.Join(m.log, " "), "fetch"); n < 5 || n > 20 {
			t.Errorf("%d tries in three hours", n)
		}
		stop()
		<-done
	})
}
