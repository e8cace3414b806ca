// Package journal writes down what happens at a kiosk: it makes the event of
// it, signed, sealed and chained (kiosk/event), and puts it into the outbox.
package journal

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// Outbox keeps events until the hub has them. Append calls seal with the
// event's sequence number and the link of the event before it, and returns
// once what seal gave is on disk. An error means that nothing was kept.
type Outbox interface {
	Append(seal func(sequence uint64, prev []byte) (record, link []byte, err error)) (sequence uint64, err error)
}

// Clocks are what an event says of its time. A kiosk has no clock that runs
// without power, so each event also says which run of the machine it is from
// and how far into it.
type Clocks struct {
	Now     func() time.Time
	BootID  string               // Linux: /proc/sys/kernel/random/boot_id
	Uptime  func() time.Duration // since the boot
	Trusted func() bool          // whether Now was synchronised with a clock that is right
}

// Journal writes the events of one kiosk.
type Journal struct {
	Sealer *event.Sealer
	Outbox Outbox
	Clocks Clocks
	Origin string // of the hub, which tokens are made for

	// Scarce tells whether the outbox nears its end: informational events are
	// left out then, and counted. nil says never.
	Scarce func() bool

	last    atomic.Uint64
	thinned atomic.Uint64
	sealer  atomic.Pointer[event.Sealer] // instead of Sealer, once Reseal was called
}

// Reseal has events sealed by s from now on: to another key of the hub's. What
// is in the outbox stays sealed to the one before.
func (j *Journal) Reseal(s *event.Sealer) { j.sealer.Store(s) }

func (j *Journal) seal(h event.Header, payload any) (record, link []byte, err error) {
	if s := j.sealer.Load(); s != nil {
		return s.Seal(h, payload)
	}
	return j.Sealer.Seal(h, payload)
}

// Last is the sequence number of the last event that this Journal wrote, 0
// before the first.
func (j *Journal) Last() uint64 { return j.last.Load() }

// Record writes the outcome of a visit; see kiosk.Record.
func (j *Journal) Record(_ context.Context, r kiosk.Record) error {
	payload := event.Visit{
		Visit: r.Visit, Outcome: r.Outcome, Reason: r.Reason,
		Authenticated: r.Authenticated, Offline: r.Offline,
	}
	if r.Holder != (kiosk.Holder{}) {
		payload.Holder = &r.Holder
	}
	if r.Token != nil {
		payload.Evidence = &event.Evidence{Token: r.Token, Nonce: r.Nonce, Origin: j.Origin}
	}
	if r.Basis != (kiosk.Basis{}) {
		payload.Basis = &event.Basis{Rules: r.Basis.Rules, Time: r.Basis.Time.UTC(), CRL: r.Basis.CRL}
	}
	return j.append(event.TypeVisit, payload)
}

// Started writes that a kioskd of this version begins to serve.
func (j *Journal) Started(version string) error {
	return j.append(event.TypeStarted, event.Started{Version: version})
}

// ClockStep writes that the clock was set, by step.
func (j *Journal) ClockStep(step time.Duration) error {
	return j.append(event.TypeClock, event.Clock{StepMS: step.Milliseconds()})
}

// Part writes what became of a part of the panel.
func (j *Journal) Part(p event.Part) error { return j.append(event.TypePart, p) }

// Tamper writes what the switch of the housing says.
func (j *Journal) Tamper(state string) error {
	return j.append(event.TypeTamper, event.Tamper{State: state})
}

func (j *Journal) append(kind string, payload any) error {
	if event.Informational(kind) && j.Scarce != nil && j.Scarce() {
		j.thinned.Add(1)
		return nil
	}
	h, err := j.header(kind)
	if err != nil {
		return err
	}
	sequence, err := j.Outbox.Append(func(sequence uint64, prev []byte) (record, link []byte, err error) {
		h.Sequence, h.Prev = sequence, prev
		return j.seal(h, payload)
	})
	if err != nil {
		return fmt.Errorf("cannot write event %s: %w", kind, err)
	}
	j.last.Store(sequence)
	return nil
}

// header is that of an event that happens now, but for its place.
func (j *Journal) header(kind string) (event.Header, error) {
	now := j.Clocks.Now()
	id, err := event.NewID(now, rand.Reader)
	if err != nil {
		return event.Header{}, fmt.Errorf("cannot name event: %w", err)
	}
	return event.Header{
		ID: id, Type: kind, Time: now, BootID: j.Clocks.BootID,
		Uptime: j.Clocks.Uptime(), ClockTrusted: j.Clocks.Trusted(),
	}, nil
}
