// Package journal records what happens at a kiosk. For each occurrence it makes
// an event, which is signed, sealed and chained (kiosk/protocol/event), and
// appends it to the outbox.
package journal

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// Outbox keeps events until the hub has acknowledged them. AppendAll calls each Seal
// with the event's sequence number within its epoch and the link of the previous
// event. It returns when the records and links that they returned are on disk. After
// an error the outbox is unchanged. A position counts across epochs.
type Outbox interface {
	AppendAll(additions ...store.Addition) (last uint64, err error)
	// Notes returns the notes of additions that no later one has cleared.
	Notes() []string
	// BeginEpoch is like AppendAll, but the event is the first of a new epoch.
	BeginEpoch(id string, seal func(sequence uint64, prev []byte) (record, link []byte, err error)) (position uint64, err error)
	// Epoch returns the current epoch.
	Epoch() store.Epoch
	// Sequence returns the position of the newest event.
	Sequence() uint64
}

// Clocks provides the times in an event's header. A kiosk has no clock that
// runs without power, so each event also contains the boot ID and the uptime.
type Clocks struct {
	Now     func() time.Time
	BootID  string               // Linux: /proc/sys/kernel/random/boot_id
	Uptime  func() time.Duration // since boot
	Trusted func() bool          // whether Now has been synchronised with a trusted clock
}

// Journal writes the events of one kiosk to its outbox. The first event of an empty outbox
// begins an epoch.
type Journal struct {
	Sealer *event.Sealer
	Outbox Outbox
	Clocks Clocks
	Origin string // the hub's URL, for which tokens are made

	// Scarce reports whether the outbox is nearly full. Journal then counts
	// informational events instead of writing them. nil means never.
	Scarce func() bool

	epochs  sync.RWMutex // write-locked while an epoch begins, so that each event names its own
	last    atomic.Uint64
	thinned atomic.Uint64
	sealer  atomic.Pointer[event.Sealer] // replaces Sealer after a call of Reseal
}

// Reseal makes the journal seal later events with s, for a new sealing key of
// the hub. Events that are already in the outbox stay sealed to the old key.
func (j *Journal) Reseal(s *event.Sealer) { j.sealer.Store(s) }

func (j *Journal) seal(h event.Header, payload any) (record, link []byte, err error) {
	if s := j.sealer.Load(); s != nil {
		return s.Seal(h, payload)
	}
	return j.Sealer.Seal(h, payload)
}

// Last returns the position of the last event that this Journal wrote, or 0
// before the first.
func (j *Journal) Last() uint64 { return j.last.Load() }

// Started records that kioskd has started, with its version.
func (j *Journal) Started(version string) error {
	return j.append(event.TypeStarted, event.Started{Version: version})
}

// ClockStep records that the clock was set, and by how much.
func (j *Journal) ClockStep(step time.Duration) error {
	return j.append(event.TypeClock, event.Clock{StepMS: step.Milliseconds()})
}

// Part records that the state of a part of the panel has changed.
func (j *Journal) Part(p event.Part) error { return j.append(event.TypePart, p) }

// Tamper records the state of the tamper switch in the housing.
func (j *Journal) Tamper(state string) error {
	return j.append(event.TypeTamper, event.Tamper{State: state})
}

// Update records what became of an update of the kiosk's system.
func (j *Journal) Update(u event.Update) error { return j.append(event.TypeUpdate, u) }

func (j *Journal) append(kind string, payload any) error {
	if event.Informational(kind) && j.Scarce != nil && j.Scarce() {
		j.thinned.Add(1)
		return nil
	}
	return j.appendAll(entry{kind: kind, payload: payload})
}

// entry is an event before it is sealed.
type entry struct {
	kind         string
	payload      any
	note, clears string // see store.Addition
}

// appendAll writes all events, in this order, or none after an error.
func (j *Journal) appendAll(entries ...entry) error {
	headers := make([]event.Header, len(entries))
	for i, e := range entries {
		headers[i] = j.header(e.kind)
	}
	last := entries[len(entries)-1].kind
	if j.Outbox.Sequence() == 0 {
		if err := j.beginFirst(); err != nil {
			return fmt.Errorf("cannot write event %s: %w", last, err)
		}
	}
	j.epochs.RLock()
	defer j.epochs.RUnlock()
	epoch := j.Outbox.Epoch().ID
	additions := make([]store.Addition, len(entries))
	for i, e := range entries {
		additions[i] = store.Addition{Note: e.note, Clears: e.clears, Seal: func(sequence uint64, prev []byte) (record, link []byte, err error) {
			h := headers[i]
			h.Epoch, h.Sequence, h.Prev = epoch, sequence, prev
			return j.seal(h, e.payload)
		}}
	}
	position, err := j.Outbox.AppendAll(additions...)
	if err != nil {
		return fmt.Errorf("cannot write event %s: %w", last, err)
	}
	j.last.Store(position)
	return nil
}

// BeginEpoch begins a new epoch with an event that announces it, and returns the
// event's position. It completes the payload. The announcement links to the previous
// event, unless it vouches for another one.
func (j *Journal) BeginEpoch(payload event.Epoch) (position uint64, err error) {
	h := j.epochHeader()
	j.epochs.Lock()
	defer j.epochs.Unlock()
	return j.begin(h, payload)
}

// beginFirst begins the first epoch of an empty outbox, unless another event does so first.
func (j *Journal) beginFirst() error {
	h := j.epochHeader()
	j.epochs.Lock()
	defer j.epochs.Unlock()
	if j.Outbox.Sequence() > 0 {
		return nil
	}
	_, err := j.begin(h, event.Epoch{Why: event.EpochNew})
	return err
}

func (j *Journal) epochHeader() event.Header {
	h := j.header(event.TypeEpoch)
	h.Epoch, _ = event.NewEpoch(rand.Reader) // crypto/rand never fails
	return h
}

// begin writes an announcement. The caller holds j.epochs.
func (j *Journal) begin(h event.Header, payload event.Epoch) (position uint64, err error) {
	before, last := j.Outbox.Epoch(), j.Outbox.Sequence()
	if last >= before.First {
		payload.AfterEpoch, payload.AfterSequence = before.ID, last-before.First+1
	}
	position, err = j.Outbox.BeginEpoch(h.Epoch, func(sequence uint64, prev []byte) (record, link []byte, err error) {
		if h.Sequence = sequence; payload.Vouches == "" {
			h.Prev = prev
		}
		return j.seal(h, payload)
	})
	if err != nil {
		return 0, fmt.Errorf("cannot begin a new epoch: %w", err)
	}
	j.last.Store(position)
	return position, nil
}

// header returns the header of an event that happens now. The caller sets its
// place in the chain.
func (j *Journal) header(kind string) event.Header {
	now := within(j.Clocks.Now())
	id, _ := event.NewID(now, rand.Reader) // crypto/rand never fails
	return event.Header{
		ID: id, Type: kind, Time: now, BootID: j.Clocks.BootID,
		Uptime: j.Clocks.Uptime(), ClockTrusted: j.Clocks.Trusted(),
	}
}

// within returns t in UTC, or the nearest time that an event can hold. A clock that is
// far off must not prevent an outcome from being recorded.
func within(t time.Time) time.Time {
	switch t = t.UTC(); {
	case t.Before(event.MinTime):
		return event.MinTime
	case t.After(event.MaxTime):
		return event.MaxTime
	}
	return t
}
