package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/slot"
)

// notification is the pseudo reader whose state changes when a reader is plugged
// in or out (pcsc-lite, SCardGetStatusChange).
const notification = `\\?PnP?\Notification`

const (
	// maxWait bounds one wait. pcsc-lite 1.9 counts the readers at the start of
	// a wait, so a reader that was plugged in just before it is noticed only
	// by the next wait.
	maxWait = time.Minute

	// The time between attempts to connect to pcscd.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second

	// The time between cancellations. A cancellation before the wait has
	// started has no effect, so it is repeated.
	cancelAgain = 20 * time.Millisecond

	// remindAfter is the time between log lines about a reader that is missing,
	// or that is plugged in and out again and again.
	remindAfter = time.Minute

	// quietAfter is how many times in remindAfter a reader's coming and going is
	// logged.
	quietAfter = 6
)

// Watch implements slot.Slot.
func (r *Reader) Watch(ctx context.Context) <-chan slot.Event {
	seen, events := make(chan slot.Event), make(chan slot.Event)
	go func() {
		defer close(seen)
		r.follow(ctx, func(e slot.Event) {
			select {
			case seen <- e:
			case <-ctx.Done():
			}
		})
	}()
	go deliver(seen, events)
	return events
}

// follow runs sessions with pcscd until ctx ends. When pcscd ends, it starts a
// new session, because nothing of the old one is valid any more.
func (r *Reader) follow(ctx context.Context, emit func(slot.Event)) {
	id, retry := callers.Add(1), firstRetry
	log := changeLog{log: r.log}
	for {
		w := watch{Reader: r, id: id, known: map[string]scard.ReaderState{}, emit: emit, changes: &log}
		err := w.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.looked {
			retry = firstRetry
		}
		r.setCurrent("")
		err = fmt.Errorf("no PC/SC service: %w", err)
		log.missing(err)
		emit(slot.Event{State: slot.NoReader, Err: err})
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// watch is one session with pcscd.
type watch struct {
	*Reader
	id      uint64
	known   map[string]scard.ReaderState // by the reader's name
	emit    func(slot.Event)
	last    slot.Event      // the event that was emitted last
	counter scard.StateFlag // the event counter of last's reader
	looked  bool            // last is set
	missing error           // why there is no reader

	// passed has the event counters of readers whose mute card gave way to a
	// card in another reader. Such a reader counts as empty until its counter
	// changes, because some readers have a slot that always reports a mute card.
	passed map[string]scard.StateFlag

	changes *changeLog
}

// run follows the readers until ctx or pcscd ends.
func (w *watch) run(ctx context.Context) error {
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return err
	}
	defer pcsc.Release()
	ended, cancelled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(cancelled)
		cancel(ctx, pcsc, ended)
	}()
	defer func() {
		close(ended)
		<-cancelled
	}()

	for misses := 0; ; {
		all, err := listReaders(pcsc)
		if err != nil {
			return err
		}
		names := w.matching(all)
		w.missing = w.noReader(all)
		if len(names) == 0 {
			w.changes.missing(w.missing)
		}
		err = w.wait(pcsc, names)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == scard.ErrUnknownReader && misses < maxReaders:
			misses++ // a reader was unplugged between the list and the wait
			continue
		case err != nil && err != scard.ErrTimeout && err != scard.ErrCancelled:
			return err
		case err == nil:
			w.update(names)
		}
		misses = 0
	}
}

// cancel ends a session's wait when ctx ends.
func cancel(ctx context.Context, pcsc *scard.Context, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	for {
		pcsc.Cancel()
		select {
		case <-time.After(cancelAgain):
		case <-ended:
			return
		}
	}
}

// wait returns when the state of a reader differs from the known one, or when a
// reader is plugged in or out. It returns at once if a reader is new.
func (w *watch) wait(pcsc *scard.Context, names []string) error {
	states := []scard.ReaderState{{Reader: alias(notification, w.id)}}
	known := map[string]scard.ReaderState{}
	for _, name := range names {
		states = append(states, scard.ReaderState{Reader: alias(name, w.id), CurrentState: w.known[name].EventState})
	}
	if len(names) == 0 {
		w.update(nil) // without a reader the first wait would not return
	}
	if err := pcsc.GetStatusChange(states, maxWait); err != nil {
		return err
	}
	for i, name := range names {
		state := states[i+1]
		state.EventState &^= scard.StateChanged
		known[name] = state
		if _, old := w.known[name]; !old {
			w.changes.logChange(true, name)
		}
	}
	for name := range w.known {
		if _, still := known[name]; !still || known[name].EventState&scard.StateUnknown != 0 {
			w.changes.logChange(false, name)
			delete(known, name)
		}
	}
	w.known = known
	return nil
}

// update determines what the slot holds and emits an event if that has changed.
func (w *watch) update(names []string) {
	now, counter := w.state(names)
	if now.State == slot.Empty && hasCard(w.last) && now.Reader == w.last.Reader && w.unplugged() {
		now = slot.Event{State: slot.NoReader, Err: errUnplugged}
	}
	if w.looked && sameSlot(now, w.last) &&
		(!hasCard(now) || counter == w.counter && bytes.Equal(now.ATR, w.last.ATR)) {
		return
	}
	if w.last.State == slot.Mute && now.State == slot.Present && now.Reader != w.last.Reader {
		if w.passed == nil {
			w.passed = map[string]scard.StateFlag{}
		}
		w.passed[w.last.Reader] = w.counter
	}
	w.last, w.counter, w.looked = now, counter, true
	w.setCurrent("")
	if hasCard(now) {
		w.setCurrent(now.Reader)
	}
	w.emit(now)
}

var errUnplugged = errors.New("the reader was unplugged")

// precedence orders the states of several readers: a card that answers comes
// first, then a mute one.
var precedence = map[slot.State]int{slot.NoReader: 0, slot.Empty: 1, slot.Mute: 2, slot.Present: 3}

// state returns what the slot holds and the event counter of its reader. The
// counter increases with each insertion and removal, also with those that Watch
// did not see. Of several cards that answer, the one that the slot held before
// stays the slot's card.
func (w *watch) state(names []string) (slot.Event, scard.StateFlag) {
	best := slot.Event{State: slot.NoReader, Err: w.missing}
	var counter scard.StateFlag
	for _, name := range names {
		s, ok := w.known[name]
		if !ok || s.EventState&(scard.StateUnknown|scard.StateUnavailable) != 0 {
			continue
		}
		e := slot.Event{State: slot.Empty, Reader: name}
		if s.EventState&scard.StatePresent != 0 {
			e.State, e.ATR = slot.Present, s.Atr
			if s.EventState&scard.StateMute != 0 {
				e.State, e.ATR = slot.Mute, nil
			}
		}
		if at, ok := w.passed[name]; ok && e.State == slot.Mute && at == s.EventState>>16 {
			e.State = slot.Empty
		}
		better := precedence[e.State] - precedence[best.State]
		if better > 0 || better == 0 && hasCard(e) && name == w.last.Reader {
			best, counter = e, s.EventState>>16
		}
	}
	return best, counter
}

// sameSlot reports whether two events have the same state at the same reader. Without
// a reader, the readers that do not match must be the same too, because the technician
// reads their names.
func sameSlot(a, b slot.Event) bool {
	return a.State == b.State && a.Reader == b.Reader && mismatch(a) == mismatch(b)
}

// mismatch describes the readers that do not match, "" for none.
func mismatch(e slot.Event) string {
	if other, ok := errors.AsType[*slot.NoMatchError](e.Err); ok {
		return other.Error()
	}
	return ""
}

func hasCard(e slot.Event) bool { return e.State == slot.Present || e.State == slot.Mute }

// deliver forwards events to a receiver that may be slow. It leaves out states
// that are over, but never the fact that a card was removed or replaced.
func deliver(seen <-chan slot.Event, events chan<- slot.Event) {
	defer close(events)
	var last *slot.Event
	var queue []slot.Event
	for {
		out, next := chan<- slot.Event(nil), slot.Event{}
		if len(queue) > 0 {
			out, next = events, queue[0]
		}
		select {
		case e, ok := <-seen:
			if !ok {
				return
			}
			queue = after(last, e)
		case out <- next:
			last, queue = &next, queue[1:]
		}
	}
}

// after returns the events that turn the receiver's state last into e.
func after(last *slot.Event, e slot.Event) []slot.Event {
	switch {
	case last == nil:
		return []slot.Event{e}
	case hasCard(*last) && hasCard(e):
		return []slot.Event{{State: slot.Empty, Reader: last.Reader}, e}
	case sameSlot(e, *last):
		return nil
	}
	return []slot.Event{e}
}
